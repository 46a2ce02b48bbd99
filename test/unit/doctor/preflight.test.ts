import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { requireHealthy, runChecks, takeInventory } from '../../../scripts/doctor/preflight.ts'
import { exerciseNames } from '../../../scripts/exercise/definition/exercises.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import { newFolder } from '../support/folders.ts'
import { lockWith } from '../support/publisher.ts'
import { gibi } from './good-facts.ts'

const lock = readLock('')
const settings = parseSettings({})

describe('on a machine with a fake engine', { timeout: 60_000 }, () => {
  let docker: FakeDocker

  beforeEach(() => {
    vi.stubEnv('LAB_DIR', newFolder())
    // No engine listens on this socket, so the kernel is this machine's.
    process.env.DOCKER_HOST = `unix://${newFolder()}/docker.sock`
    docker = fakeDocker()
    docker.put(
      'info',
      JSON.stringify({
        ServerVersion: '28.2.2',
        OSType: 'linux',
        Architecture: 'x86_64',
        OperatingSystem: 'Ubuntu',
        KernelVersion: '1.2.3',
        SecurityOptions: [],
        NCPU: 4,
        MemTotal: 8 * gibi,
        CgroupVersion: '2',
        DockerRootDir: '/var/lib/docker',
        SystemTime: new Date().toISOString(),
      }),
    )
  })
  afterEach(() => {
    docker.restore()
    vi.unstubAllEnvs()
    delete process.env.DOCKER_HOST
  })

  /** Returns a lock file with which nothing comes from the network, and gives the engine all its images. */
  const offlineLock = () => {
    const charts = Object.fromEntries(
      Object.entries(lock.charts).map(([name, chart]) => [name, { version: chart.version, url: `${name}.tgz` }]),
    )
    const tools = Object.fromEntries(
      Object.entries(lock.tools).map(([name, tool]) => [name, { version: tool.version, sha256: {} }]),
    )
    for (const image of [lock.nodeImage, ...Object.values(lock.images)])
      docker.put('host', `${image.repository}:${image.tag} -`)
    return lockWith({ charts, tools })
  }

  test('finds a port in use, another cluster and missing programs, and changes nothing', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    docker.put('ps', 'school school-control-plane')
    const pins = offlineLock()
    pins.tools.pulumi.version = '9.9.9'
    try {
      const checks = await runChecks(parseSettings({ ports: { grafana: port } }), pins)
      expect(checks.find(check => check.id === 'port-grafana')).toMatchObject({ level: 'fail' })
      expect(checks.find(check => check.id === 'neighbours')?.found).toMatch(/: school$/)
      expect(checks.find(check => check.id === 'lock')?.found).toMatch(/pulumi 9\.9\.9, but its npm package .* 3\./)
      expect(checks.find(check => check.id === 'charts')).toMatchObject({ level: 'fail' })
      expect(checks.find(check => check.id === 'images')).toMatchObject({ level: 'ok', found: 'all present' })
      const readOnly =
        /^(info|ps|version|image inspect|run --rm -i --label io\.tetragon-lab=engine-probe --pid=host --network=none) /
      expect(docker.calls().filter(call => !readOnly.test(call))).toEqual([])
    } finally {
      server.close()
    }
  })

  test('judges the VM of the engine by what a container in it reports', async () => {
    docker.put(
      'probe',
      'disk_free_kilobytes=1953125',
      'memory_available_kilobytes=1048576',
      'inotify_instances=128',
      'inotify_watches=8192',
      'tetragons=1',
    )
    const checks = await runChecks(settings, offlineLock())
    expect(checks.find(({ id }) => id === 'disk')).toMatchObject({
      level: 'fail',
      found: 'Docker has 2.0 GB free in the VM of the engine',
    })
    expect(checks.find(({ id }) => id === 'memory')?.found).toBe(
      'Docker has 8.0 GiB of memory, of which only 1.0 GiB is free',
    )
    expect(checks.find(({ id }) => id === 'inotify')?.found).toContain('128 instances, 8192 watches')
    expect(checks.find(({ id }) => id === 'tetragon')).toMatchObject({ level: 'warn' })
  })

  // The fake sleeps for 300 s, so these two pass only if the doctor stops waiting.
  test('reports an engine that never responds, together with the other checks', async () => {
    docker.put('hangs', 'info')
    const { ready, checks, machine } = await takeInventory(settings, offlineLock(), 300)
    expect(ready).toBe(false)
    expect(machine).toMatchObject({ engine: null, memoryBytes: null, cpus: null, diskFreeBytes: null })
    expect(checks.find(({ id }) => id === 'docker')).toMatchObject({
      level: 'fail',
      found: expect.stringMatching(/^Docker at unix:\/\/\S+ is not responding/),
    })
    const ids = checks.map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining(['kernel', 'tools', 'charts', 'exercises']))
    // The ports of this machine may be free or in use.
    expect(ids.some(id => id.startsWith('port'))).toBe(true)
    expect(docker.calls().every(call => call.startsWith('info'))).toBe(true)
  })

  test('reports an engine that responds once and then hangs', async () => {
    docker.put('hangs', 'ps')
    const { checks } = await takeInventory(settings, offlineLock())
    expect(checks.find(({ level }) => level === 'fail')).toMatchObject({
      id: 'docker',
      found: expect.stringMatching(/is not responding/),
    })
  })

  test('recognizes podman under the name docker', async () => {
    const podman = readFileSync(
      join(import.meta.dirname, '..', 'engine', 'docker-info', 'podman-as-docker-command.json'),
      'utf8',
    )
    docker.clear('info')
    docker.put('info', JSON.stringify(JSON.parse(podman).info))
    const { ready, checks, machine } = await takeInventory(settings, offlineLock(), 15_000)
    expect(ready).toBe(false)
    expect(checks.find(({ level }) => level === 'fail')?.found).toBe('Podman 5.4.2 responds in place of Docker')
    expect(machine.engine).toMatchObject({ product: 'Podman', version: '5.4.2', rootless: true })
  })

  test('keeps the keys of the inventory', async () => {
    const { machine, exercises, ...rest } = await takeInventory(settings, offlineLock(), 15_000)
    expect(Object.keys(rest)).toEqual(['ready', 'checks'])
    expect(Object.keys(rest.checks[0]!)).toEqual(['id', 'title', 'level', 'found', 'expected', 'next'])
    expect(Object.keys(machine)).toEqual([
      'host',
      'os',
      'osName',
      'wsl',
      'container',
      'arch',
      'kernel',
      'engine',
      'memoryBytes',
      'memoryFreeBytes',
      'cpus',
      'diskFreeBytes',
      'source',
      'why',
      'features',
    ])
    expect(Object.keys(machine.engine!)).toEqual([
      'product',
      'version',
      'platform',
      'system',
      'endpoint',
      'virtual',
      'rootless',
      'cgroup',
    ])
    expect(machine).toMatchObject({ host: hostname(), memoryBytes: 8 * gibi, cpus: 4, kernel: '1.2.3' })
    expect(exercises.map(({ name }) => name)).toEqual(exerciseNames())
  })

  test('stops `lab up` with the first failure', async () => {
    docker.put('ps', 'lab lab-control-plane')
    const error = await requireHealthy(settings, offlineLock()).then(
      () => expect.unreachable('a cluster of the same name must stop it'),
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(LabError)
    expect((error as LabError).found).toBe('The kind cluster lab was not created by this lab')
  })
})
