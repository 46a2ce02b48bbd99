import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { availableParallelism, hostname, loadavg } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { judge } from '../../../scripts/doctor/checks/all-checks.ts'
import type { DoctorCheck } from '../../../scripts/doctor/doctor-check.ts'
import type { Facts } from '../../../scripts/doctor/facts/facts.ts'
import type { Answer } from '../../../scripts/doctor/facts/hosts.ts'
import { parseInside } from '../../../scripts/doctor/facts/machine.ts'
import { portState } from '../../../scripts/doctor/facts/ports.ts'
import type { ImageSupply } from '../../../scripts/doctor/facts/supplies.ts'
import { examine, preflight, requireHealthy } from '../../../scripts/doctor/preflight.ts'
import type { EngineFacts } from '../../../scripts/engine/engine-facts.ts'
import { exerciseNames } from '../../../scripts/exercise/definition/exercises.ts'
import { noFeatures } from '../../../scripts/kernel/features.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { readLock } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'
import { parseSettings, type Settings } from '../../../shared/settings/schema.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import { lockWith, newFolder } from '../support/publisher.ts'

const lock = readLock('')
const settings = parseSettings({})
const gibi = 1024 ** 3

const goodEngine: EngineFacts = {
  endpoint: 'unix:///var/run/docker.sock',
  product: 'Docker Engine',
  wsl: false,
  kernel: '6.8.0',
  proxy: { http: '', https: '', no: '' },
  version: '28.2.2',
  platform: 'linux/amd64',
  system: 'Ubuntu 24.04.3 LTS',
  local: true,
  rootless: false,
  cpus: 8,
  memoryBytes: 16 * gibi,
  cgroup: 2,
  dataRoot: '/var/lib/docker',
  clockAhead: 0.2,
}

/** A machine on which nothing is wrong. */
const good: Facts = {
  os: 'linux',
  osName: 'Ubuntu 24.04.3 LTS',
  wsl: false,
  engine: goodEngine,
  kernel: {
    source: 'live',
    why: 'Linux 6.8.0 can run Tetragon',
    asked: 'this machine',
    features: { ...noFeatures, btf: true, kprobes: true, sigkill: true, hostPids: true },
  },
  ports: [
    { name: 'guestbook', number: 8080, state: 'free' },
    { name: 'grafana', number: 3000, state: 'free' },
  ],
  running: false,
  foreignNode: false,
  otherClusters: [],
  tetragons: 0,
  availableBytes: 9 * gibi,
  diskBytes: 80e9,
  inotify: { watches: 524288, instances: 512 },
  tools: [{ name: 'kind 0.32.0', here: true, host: 'github.com' }],
  charts: [{ name: 'loki 18.11.0', here: true, host: 'github.com' }],
  changedCharts: [],
  strangers: [],
  images: [
    {
      name: 'docker.io/grafana/loki:3.7.6',
      here: true,
      host: 'registry-1.docker.io',
      platforms: ['linux/amd64', 'linux/arm64'],
      copied: true,
      packed: 45e6,
      unpacked: 150e6,
    },
  ],
  proxies: { onLoopback: false, coversLab: false },
  hosts: new Map(),
}

const [image] = good.images as [ImageSupply]
const answering = (...hosts: string[]): Facts['hosts'] => new Map(hosts.map(host => [host, { state: 'answers' }]))
const checks = (facts: Partial<Facts>, set: Settings = settings): DoctorCheck[] =>
  judge(set, lock, { ...good, ...facts })
const engine = (facts: Partial<EngineFacts>): Partial<Facts> => ({ engine: { ...goodEngine, ...facts } })
const bad = (facts: Partial<Facts>, set?: Settings): DoctorCheck[] =>
  checks(facts, set).filter(check => check.level !== 'ok')
const only = (facts: Partial<Facts>, set?: Settings): DoctorCheck => {
  const found = bad(facts, set)
  expect(found.map(check => check.id)).toHaveLength(1)
  return found[0]!
}

test('nothing is wrong with a good machine, and every check says what it saw', () => {
  expect(bad({})).toEqual([])
  for (const check of checks({})) expect(check.found, check.id).not.toBe('')
  const ids = checks({}).map(check => check.id)
  expect(new Set(ids).size).toBe(ids.length)
})

describe('what stops a lab', () => {
  test('no Docker: its own words, and the rest is still looked at', () => {
    const problem = new LabError({ found: 'no docker command on PATH', expected: 'Docker Engine', next: 'install it' })
    const all = checks({ engine: { problem } })
    expect(all.find(check => check.id === 'docker')).toMatchObject({
      level: 'fail',
      found: 'no docker command on PATH',
      next: 'install it',
    })
    expect(all.map(check => check.id)).toEqual(expect.arrayContaining(['kernel', 'ports', 'tools', 'charts']))
  })

  test.each<[string, Partial<Facts>, Partial<DoctorCheck>]>([
    ['an engine that is too old', engine({ version: '19.03.5' }), { id: 'docker', found: 'Docker 19.03.5' }],
    [
      'an engine elsewhere',
      engine({ endpoint: 'ssh://me@far', local: false }),
      { id: 'docker', next: 'docker context use default; unset DOCKER_HOST' },
    ],
    [
      '2 GiB',
      engine({ memoryBytes: 2 * gibi }),
      { id: 'memory', found: '2.0 GiB for Docker', expected: 'at least 4 GiB' },
    ],
    ['one processor', engine({ cpus: 1 }), { id: 'cpus' }],
    [
      'a disk that is all but full',
      { diskBytes: 0.5e9 },
      {
        id: 'disk',
        found: '0.5 GB free in /var/lib/docker',
        expected: "0.7 GB for the node's copy of the images",
        next: 'docker system prune, or free some space',
      },
    ],
    [
      'a disk without room for the images that are still to come',
      { diskBytes: 4e9, images: [{ ...image, here: false, unpacked: 2e9 }], hosts: answering(image.host) },
      { id: 'disk', expected: "4.5 GB for 1 images to fetch, and the node's copy of them" },
    ],
    ['Windows', { os: 'win32' }, { id: 'system', next: 'wsl --install, then run the lab in there' }],
    [
      "another's cluster of this name",
      { foreignNode: true },
      {
        id: 'cluster',
        next: './lab pulumi config set --path tetragon-lab:cluster.name lab-2, or: kind delete cluster --name lab',
      },
    ],
    [
      'a chart that changed in its folder',
      { changedCharts: [{ name: 'loki 18.11.0', found: 'aa', known: 'bb' }] },
      { id: 'charts', found: 'chart loki 18.11.0 has sha256 aa' },
    ],
    [
      'a program that nothing says where to get',
      { tools: [{ name: 'kind 0.32.0', here: false, host: '' }] },
      { id: 'tools', next: 'install or copy kind 0.32.0, or use another lock: --lock FILE' },
    ],
  ])('%s', (_, facts, expected) => {
    expect(only(facts)).toMatchObject({ level: 'fail', ...expected })
  })

  test('an engine for Windows containers', () => {
    const [docker] = bad(engine({ platform: 'windows/amd64' }))
    expect(docker).toMatchObject({ id: 'docker', level: 'fail', found: 'an engine for windows/amd64' })
  })

  test('a port that is taken: by whom, and the command that moves it', () => {
    const check = only({ ports: [{ name: 'grafana', number: 3000, state: 'taken', holder: 'node (process 4711)' }] })
    expect(check).toEqual({
      id: 'port-grafana',
      title: 'Port 3000',
      level: 'fail',
      found: '127.0.0.1:3000 is taken by node (process 4711)',
      expected: 'a free port for ports.grafana',
      next: './lab pulumi config set --path tetragon-lab:ports.grafana 13000',
    })
  })

  test('a port that may not be listened on is moved to one that may', () => {
    const { found, next } = only({ ports: [{ name: 'guestbook', number: 80, state: 'not allowed' }] })
    expect(found).toBe('127.0.0.1:80 may not be listened on by you')
    expect(next).toMatch(/ports\.guestbook 8080$/)
  })

  test('the proposed port is none that the lab uses itself', () => {
    const ports: Facts['ports'] = [
      { name: 'guestbook', number: 80, state: 'taken' },
      { name: 'grafana', number: 8080, state: 'free' },
    ]
    expect(only({ ports }).next).toMatch(/ports\.guestbook 8081$/)
    expect(only({ ports: [{ name: 'loki', number: 60000, state: 'taken' }] }).next).toMatch(/ports\.loki 50000$/)
  })

  test('a kernel that cannot, where live was asked for', () => {
    const kernel = {
      ...good.kernel,
      source: 'replay' as const,
      why: 'Linux 6.18.44 cannot run Tetragon: it cannot attach kprobes',
    }
    const live = parseSettings({ tetragon: { source: 'live' } })
    expect(only({ kernel }, live)).toMatchObject({
      level: 'fail',
      found: 'Linux 6.18.44 cannot run Tetragon: it cannot attach kprobes, but tetragon.source is live',
      next: './lab pulumi config set --path tetragon-lab:tetragon.source auto',
    })
    expect(only({ kernel })).toMatchObject({ id: 'kernel', level: 'warn' })
    expect(bad({ kernel }, parseSettings({ tetragon: { source: 'replay' } }))).toEqual([])
  })
})

describe('what is worth knowing', () => {
  test.each<[string, Partial<Facts>, Partial<DoctorCheck>]>([
    ['5 GiB', engine({ memoryBytes: 5 * gibi }), { id: 'memory', expected: '6 GiB to be comfortable' }],
    ['much memory, none of it free', { availableBytes: gibi }, { id: 'memory', next: 'close what needs much memory' }],
    ['a disk with little to spare', { diskBytes: 3e9 }, { id: 'disk', found: '3.0 GB free in /var/lib/docker' }],
    ['few inotify instances', { inotify: { watches: 524288, instances: 128 } }, { id: 'inotify' }],
    ['control groups 1', engine({ cgroup: 1 }), { id: 'cgroup' }],
    ['rootless', engine({ rootless: true }), { id: 'docker-rootless' }],
    ['snap', engine({ dataRoot: '/var/snap/docker/common' }), { id: 'docker-snap' }],
    ['a clock that sleeps', engine({ clockAhead: -90 }), { id: 'clock', found: "the engine's clock is 90 s behind" }],
    [
      'another cluster',
      { otherClusters: ['school'] },
      { id: 'neighbours', next: 'kind delete cluster --name school, when it is not needed' },
    ],
    ['another Tetragon', { tetragons: 1 }, { id: 'tetragon' }],
    [
      'a plugin and its npm package of two versions',
      { strangers: [{ name: 'pulumi-resource-kubernetes', pinned: '4.33.0', npm: '4.32.0' }] },
      { id: 'lock', next: `mend tools.pulumi-resource-kubernetes of ${lock.file}` },
    ],
    ...(
      [
        [
          { state: 'no such name', code: 'ENOTFOUND' },
          'the name github.com does not resolve',
          /^getent hosts github\.com/,
        ],
        [
          { state: 'proxy is silent', proxy: 'http://proxy:3128' },
          'github.com does not answer through the proxy http://proxy:3128',
          /unset HTTPS_PROXY/,
        ],
        [
          { state: 'not trusted', code: 'SELF_SIGNED_CERT_IN_CHAIN' },
          'github.com shows a certificate that is not trusted (SELF_SIGNED_CERT_IN_CHAIN)',
          /^export NODE_EXTRA_CA_CERTS=/,
        ],
      ] as [Answer, string, RegExp][]
    ).map(([answer, says, next]): [string, Partial<Facts>, Partial<DoctorCheck>] => [
      `a host: ${answer.state}`,
      {
        charts: [{ name: 'loki 18.11.0', here: false, host: 'github.com' }],
        hosts: new Map([['github.com', answer]]),
      },
      { id: 'charts', found: `loki 18.11.0 is not here, and ${says}`, next: expect.stringMatching(next) },
    ]),
    [
      'a clock that is not the world’s',
      {
        charts: [{ name: 'loki 18.11.0', here: false, host: 'github.com' }],
        hosts: new Map([['github.com', { state: 'answers', clockAhead: -7200 }]]),
      },
      { id: 'clock-world', found: "it is 7200 s behind github.com's", next: 'sudo timedatectl set-ntp true' },
    ],
    ['a process namespace of its own', { kernel: { ...good.kernel, features: noFeatures } }, { id: 'kernel' }],
    [
      'a host that does not answer',
      {
        charts: [{ name: 'loki 18.11.0', here: false, host: 'github.com' }],
        hosts: new Map([['github.com', { state: 'silent' }]]),
      },
      { id: 'charts', found: 'loki 18.11.0 is not here, and github.com does not answer' },
    ],
  ])('%s', (_, facts, expected) => {
    expect(only(facts)).toMatchObject({ level: 'warn', ...expected })
  })

  test('images that are not published for this engine, and the setting that helps', () => {
    const images = [{ ...image, name: 'example.org/gb-frontend:v5', platforms: ['linux/amd64'] }]
    const upstream = parseSettings({ guestbook: { images: 'upstream' } })
    const check = only({ ...engine({ platform: 'linux/arm64' }), images }, upstream)
    expect(check).toMatchObject({
      level: 'warn',
      found: 'example.org/gb-frontend:v5 is not published for linux/arm64',
      next: './lab pulumi config set --path tetragon-lab:guestbook.images lab',
    })
    expect(bad({ images }, upstream)).toEqual([])
  })
})

describe('what is right', () => {
  test('the lab that runs here: its ports, its Tetragon, its disk', () => {
    const running: Partial<Facts> = {
      running: true,
      tetragons: 1,
      diskBytes: 3.1e9,
      availableBytes: gibi,
      ports: good.ports.map(port => ({ ...port, state: 'held by the lab' })),
    }
    expect(bad(running)).toEqual([])
    expect(checks(running).find(check => check.id === 'ports')?.found).toBe('8080, 3000, held by the lab')
    expect(only({ ...running, tetragons: 2 })).toMatchObject({ id: 'tetragon' })
  })

  test('Podman in Docker’s place: said in one row, and nothing is made of what it has', () => {
    const all = checks({ ...engine({ product: 'Podman', version: '5.4.2', memoryBytes: 0 }), images: [] })
    expect(all.filter(({ level }) => level === 'fail')).toMatchObject([
      { id: 'docker', found: "Podman 5.4.2 answers in Docker's place" },
    ])
    expect(all.map(({ id }) => id)).not.toContain('memory')
  })

  test('a disk in a machine of its own, which nobody could look into yet', () => {
    const { diskBytes: _, ...elsewhere } = { ...good, ...engine({ product: 'Colima', local: false }) }
    const disk = judge(settings, lock, elsewhere).find(({ id }) => id === 'disk')
    expect(disk).toMatchObject({
      level: 'ok',
      found: expect.stringMatching(/^not known yet: .* about 0\.7 GB are needed$/),
    })
  })

  test('images that are still to come are weighed, and what brings them is named', () => {
    const images = [{ ...image, here: false, host: 'quay.io' }]
    const hosts: Facts['hosts'] = new Map([['quay.io', { state: 'answers', proxy: 'http://proxy:3128' }]])
    expect(checks({ images, hosts }).find(({ id }) => id === 'images')).toMatchObject({
      level: 'ok',
      found: 'docker.io/grafana/loki:3.7.6 to be fetched from quay.io through http://proxy:3128, about 0.0 GB',
    })
  })

  test('things that are still to be fetched from hosts that answer', () => {
    const charts = [{ name: 'loki 18.11.0', here: false, host: 'github.com' }]
    const all = checks({ charts, hosts: answering('github.com') })
    expect(all.find(check => check.id === 'charts')).toMatchObject({
      level: 'ok',
      found: 'loki 18.11.0 to be fetched from github.com',
    })
  })

  test('an existing cluster, for which this machine plays no part', () => {
    const existing = parseSettings({ cluster: { mode: 'existing', context: 'school' } })
    expect(bad({ ...engine({ cpus: 1 }), foreignNode: true, diskBytes: 1 }, existing)).toEqual([])
  })

  test('a kernel that nobody could ask yet', () => {
    const kernel = { ...good.kernel, source: 'replay' as const, asked: 'nobody' as const, features: noFeatures }
    expect(bad({ kernel })).toEqual([])
  })
})

/** Time is only what it says on a machine that has time. */
function withinSeconds(seconds: number, began: number): void {
  const [load = 0] = loadavg()
  const took = (performance.now() - began) / 1000
  if (load > 2 * availableParallelism())
    console.warn(`not held against ${seconds} s: ${took.toFixed(1)} s at a load of ${load.toFixed(0)}`)
  else expect(took).toBeLessThan(seconds)
}

describe('looking at a machine', () => {
  let docker: FakeDocker

  beforeEach(() => {
    process.env.LAB_DIR = newFolder()
    // No engine behind it: the kernel is this machine's
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
    delete process.env.LAB_DIR
    delete process.env.DOCKER_HOST
  })

  /** Nothing is to be fetched from the network. */
  const here = () => {
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

  test('a taken port, another cluster and missing programs are seen, within two seconds, and nothing is changed', {
    timeout: 60_000,
  }, async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    docker.put('ps', 'school school-control-plane')
    const pins = here()
    pins.tools.pulumi.version = '9.9.9'
    try {
      const began = performance.now()
      const found = await preflight(parseSettings({ ports: { grafana: port } }), pins)
      withinSeconds(2, began)
      expect(found.find(check => check.id === 'port-grafana')).toMatchObject({ level: 'fail' })
      expect(found.find(check => check.id === 'neighbours')?.found).toMatch(/^school runs/)
      expect(found.find(check => check.id === 'lock')?.found).toMatch(/pulumi 9\.9\.9, and its npm package is 3\./)
      expect(found.find(check => check.id === 'charts')).toMatchObject({ level: 'fail' })
      expect(found.find(check => check.id === 'images')).toMatchObject({ level: 'ok', found: 'all in place' })
      const looks =
        /^(info|ps|version|image inspect|run --rm -i --label io\.tetragon-lab=engine-probe --pid=host --network=none) /
      expect(docker.calls().filter(call => !looks.test(call))).toEqual([])
    } finally {
      server.close()
    }
  })

  test("what the engine's own machine has, from a container that is gone afterwards", { timeout: 60_000 }, async () => {
    docker.put(
      'probe',
      'disk_free_kilobytes=1953125',
      'memory_available_kilobytes=1048576',
      'inotify_instances=128',
      'inotify_watches=8192',
      'tetragons=1',
    )
    const found = await preflight(settings, here())
    expect(found.find(({ id }) => id === 'disk')).toMatchObject({
      level: 'fail',
      found: "2.0 GB free in the engine's machine",
    })
    expect(found.find(({ id }) => id === 'memory')?.found).toBe('8.0 GiB for Docker, of which 1.0 GiB are free now')
    expect(found.find(({ id }) => id === 'inotify')?.found).toBe('128 instances, 8192 watches')
    expect(found.find(({ id }) => id === 'tetragon')).toMatchObject({ level: 'warn' })
  })

  test('an engine that takes the call and never answers: said, with the rest, and not waited for', {
    timeout: 60_000,
  }, async () => {
    docker.put('hangs', 'info')
    const began = performance.now()
    const { ready, checks, machine } = await examine(settings, here())
    withinSeconds(3, began)
    expect(ready).toBe(false)
    expect(machine).toMatchObject({ engine: null, memoryBytes: null, cpus: null, diskFreeBytes: null })
    expect(checks.find(({ id }) => id === 'docker')).toMatchObject({
      level: 'fail',
      found: expect.stringMatching(/^Docker takes the call at unix:\/\/\S+ and does not answer in time$/),
    })
    const ids = checks.map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining(['kernel', 'tools', 'charts', 'exercises']))
    // Whether they are free depends on what else this machine does
    expect(ids.some(id => id.startsWith('port'))).toBe(true)
    expect(docker.calls().every(call => call.startsWith('info'))).toBe(true)
  })

  test('one that answers once and hangs then is none either', { timeout: 60_000 }, async () => {
    docker.put('hangs', 'ps')
    const { checks } = await examine(settings, here())
    expect(checks.find(({ level }) => level === 'fail')).toMatchObject({
      id: 'docker',
      found: expect.stringMatching(/does not answer in time$/),
    })
  })

  test("podman by the name of docker is Podman, not a bug of the lab's", { timeout: 60_000 }, async () => {
    const alias = readFileSync(join(import.meta.dirname, 'engines', 'podman-as-docker-command.json'), 'utf8')
    docker.clear('info')
    docker.put('info', JSON.stringify(JSON.parse(alias).info))
    const { ready, checks, machine } = await examine(settings, here(), 15_000)
    expect(ready).toBe(false)
    expect(checks.find(({ level }) => level === 'fail')?.found).toBe("Podman 5.4.2 answers in Docker's place")
    expect(machine.engine).toMatchObject({ product: 'Podman', version: '5.4.2', rootless: true })
  })

  test('the inventory keeps its keys', { timeout: 60_000 }, async () => {
    const found = await examine(settings, here(), 15_000)
    expect(Object.keys(found)).toEqual(['ready', 'machine', 'exercises', 'checks'])
    expect(Object.keys(found.machine)).toEqual([
      'host',
      'os',
      'osName',
      'wsl',
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
    expect(Object.keys(found.machine.engine!)).toEqual([
      'product',
      'version',
      'platform',
      'system',
      'endpoint',
      'virtual',
      'rootless',
      'cgroup',
    ])
    expect(found.machine).toMatchObject({ host: hostname(), memoryBytes: 8 * gibi, cpus: 4, kernel: '1.2.3' })
    expect(found.exercises.map(({ name }) => name)).toEqual(exerciseNames())
  })

  test('the first failure is what `lab up` stops with', { timeout: 60_000 }, async () => {
    docker.put('ps', 'lab lab-control-plane')
    const error = await requireHealthy(settings, here()).then(
      () => expect.unreachable('a foreign cluster must stop it'),
      (thrown: unknown) => thrown,
    )
    expect(error).toBeInstanceOf(LabError)
    expect((error as LabError).found).toBe('a KinD cluster named lab that this lab did not make')
  })
})

test('a port is tried by listening on it', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  expect(await portState(port)).toBe('taken')
  await new Promise(resolve => server.close(resolve))
  expect(await portState(port)).toBe('free')
})

test.runIf(process.platform === 'linux')('the probe of the engine’s machine speaks the language that is read', () => {
  const probe = execFileSync('sh', [join(projectDir, 'scripts/doctor/facts/engine-probe.sh')], { encoding: 'utf8' })
  const { diskBytes, availableBytes, inotify, tetragons } = parseInside(probe)
  expect(diskBytes).toBeGreaterThan(1e6)
  expect(availableBytes).toBeGreaterThan(1e6)
  expect(inotify?.instances).toBeGreaterThan(0)
  expect(inotify?.watches).toBeGreaterThan(0)
  expect(tetragons).toBeGreaterThanOrEqual(0)
  expect(parseInside('docker: something went wrong')).toEqual({})
})
