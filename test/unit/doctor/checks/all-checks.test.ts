import { describe, expect, test } from 'vitest'
import { allChecks } from '../../../../scripts/doctor/checks/all-checks.ts'
import type { DoctorCheck } from '../../../../scripts/doctor/doctor-check.ts'
import type { DoctorFacts } from '../../../../scripts/doctor/facts/gather-facts.ts'
import type { HostResponse } from '../../../../scripts/doctor/facts/host-facts.ts'
import type { ImageSupply } from '../../../../scripts/doctor/facts/supply-facts.ts'
import { noFeatures } from '../../../../scripts/kernel/features.ts'
import { LabError } from '../../../../shared/lab-error.ts'
import { readLock } from '../../../../shared/lock.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'
import type { Settings } from '../../../../shared/settings/schema.ts'
import { gibi, goodFacts, withEngine } from '../good-facts.ts'

const lock = readLock('')
const defaults = parseSettings({})
const [image] = goodFacts.images as [ImageSupply]
const missingImage = { ...image, present: false }
const missingChart = { name: 'loki 18.11.0', present: false, host: 'github.com' }
const hosts = (host: string, response: HostResponse): DoctorFacts['hosts'] => new Map([[host, response]])

const checksFor = (facts: Partial<DoctorFacts>, settings: Settings = defaults): DoctorCheck[] =>
  allChecks(settings, lock, { ...goodFacts, ...facts })
const problemsIn = (facts: Partial<DoctorFacts>, settings?: Settings): DoctorCheck[] =>
  checksFor(facts, settings).filter(check => check.level !== 'ok')
const onlyProblem = (facts: Partial<DoctorFacts>, settings?: Settings): DoctorCheck => {
  const problems = problemsIn(facts, settings)
  expect(problems.map(check => check.id)).toHaveLength(1)
  return problems[0]!
}
const checkById = (id: string, facts: Partial<DoctorFacts>): DoctorCheck | undefined =>
  checksFor(facts).find(check => check.id === id)

test('finds no problem on a good machine, and gives each check an id of its own and a result', () => {
  expect(problemsIn({})).toEqual([])
  for (const check of checksFor({})) expect(check.found, check.id).not.toBe('')
  const ids = checksFor({}).map(check => check.id)
  expect(new Set(ids).size).toBe(ids.length)
})

describe('fails for', () => {
  test('an engine with a problem, in its own words, and still runs the other checks', () => {
    const problem = new LabError({ found: 'The docker command is not on PATH', next: 'install it' })
    const all = checksFor({ engine: { problem } })
    expect(all.find(check => check.id === 'docker')).toMatchObject({
      level: 'fail',
      found: 'The docker command is not on PATH',
      expected: '',
      next: 'install it',
    })
    expect(all.map(check => check.id)).toEqual(expect.arrayContaining(['kernel', 'ports', 'tools', 'charts']))
  })

  test.each<[string, Partial<DoctorFacts>, Partial<DoctorCheck>]>([
    ['an old engine', withEngine({ version: '19.03.5' }), { id: 'docker', found: 'Docker 19.03.5 is too old' }],
    [
      'a remote engine',
      withEngine({ endpoint: 'ssh://me@far', local: false }),
      { id: 'docker', next: 'docker context use default; unset DOCKER_HOST' },
    ],
    [
      '2 GiB of memory',
      withEngine({ memoryBytes: 2 * gibi }),
      { id: 'memory', found: 'Docker has 2.0 GiB of memory', expected: 'at least 4 GiB' },
    ],
    ['one processor', withEngine({ cpus: 1 }), { id: 'cpus', found: 'Docker has 1 processor' }],
    [
      'a full disk',
      { freeDiskBytes: 0.5e9 },
      {
        id: 'disk',
        found: 'Docker has 500 MB free in /var/lib/docker',
        expected: "650 MB for the node's copy of the images",
        next: 'docker system prune, or free some space',
      },
    ],
    [
      'a disk without room for the missing images',
      {
        freeDiskBytes: 4e9,
        images: [{ ...missingImage, diskBytes: 2e9 }],
        hosts: hosts(image.host, { state: 'reachable' }),
      },
      { id: 'disk', expected: "4.5 GB for 1 missing image and the node's copy" },
    ],
    [
      'an engine outside of the dev container in which the lab runs',
      { container: 'a dev container', ...withEngine({ outsideContainer: true, local: false }) },
      {
        id: 'docker',
        found: 'The lab runs in a dev container, but the Docker engine runs outside of it',
        next: 'open this checkout in its own dev container (.devcontainer), or run ./lab on the machine itself',
      },
    ],
    ['Windows', { os: 'win32' }, { id: 'system', next: 'wsl --install, then run the lab inside WSL' }],
    [
      'a cluster of the same name that another lab created',
      { foreignCluster: true },
      {
        id: 'cluster',
        found: 'The kind cluster lab was not created by this lab',
        next: './lab pulumi config set --path tetragon-lab:cluster.name lab-2',
      },
    ],
    [
      'a changed chart in a local folder',
      { changedCharts: [{ name: 'loki 18.11.0', found: 'aa', known: 'bb' }] },
      { id: 'charts', found: 'The chart loki 18.11.0 has sha256 aa' },
    ],
    [
      'a missing tool without an address',
      { tools: [{ name: 'kind 0.32.0', present: false, host: '' }] },
      { id: 'tools', next: 'install or copy kind 0.32.0, or use another lock file: --lock FILE' },
    ],
  ])('%s', (_, facts, expected) => {
    expect(onlyProblem(facts)).toMatchObject({ level: 'fail', ...expected })
  })

  test('an engine that runs Windows containers', () => {
    const [docker] = problemsIn(withEngine({ platform: 'windows/amd64' }))
    expect(docker).toMatchObject({
      id: 'docker',
      level: 'fail',
      found: 'The Docker engine runs windows/amd64 containers',
    })
  })

  test('a port in use, and names the program and the command that moves the port', () => {
    const ports: DoctorFacts['ports'] = [{ name: 'grafana', number: 3000, state: 'in use', holder: 'node (pid 4711)' }]
    expect(onlyProblem({ ports })).toEqual({
      id: 'port-grafana',
      title: 'Port 3000',
      level: 'fail',
      found: 'Port 3000 is in use by node (pid 4711)',
      expected: '',
      next: './lab pulumi config set --path tetragon-lab:ports.grafana 13000',
    })
  })

  test('a privileged port, and proposes one above 1024', () => {
    const { found, next } = onlyProblem({ ports: [{ name: 'guestbook', number: 80, state: 'forbidden' }] })
    expect(found).toBe('You do not have permission to listen on port 80')
    expect(next).toMatch(/ports\.guestbook 8080$/)
  })

  test('a port in use, and never proposes one that the lab itself uses or that does not exist', () => {
    const ports: DoctorFacts['ports'] = [
      { name: 'guestbook', number: 80, state: 'in use' },
      { name: 'grafana', number: 8080, state: 'free' },
    ]
    expect(onlyProblem({ ports }).next).toMatch(/ports\.guestbook 8081$/)
    expect(onlyProblem({ ports: [{ name: 'loki', number: 60_000, state: 'in use' }] }).next).toMatch(
      /ports\.loki 50000$/,
    )
  })

  test('a kernel without kprobes, but only when tetragon.source is live', () => {
    const why = 'Linux 6.18.44 cannot run Tetragon: it cannot attach kprobes'
    const kernel = { ...goodFacts.kernel, source: 'replay' as const, why }
    expect(onlyProblem({ kernel }, parseSettings({ tetragon: { source: 'live' } }))).toMatchObject({
      level: 'fail',
      found: `${why}, but tetragon.source is live`,
      next: './lab pulumi config set --path tetragon-lab:tetragon.source auto',
    })
    expect(onlyProblem({ kernel })).toMatchObject({ id: 'kernel', level: 'warn' })
    expect(problemsIn({ kernel }, parseSettings({ tetragon: { source: 'replay' } }))).toEqual([])
  })

  test('Podman in place of Docker, and does not judge its resources', () => {
    const all = checksFor({ ...withEngine({ product: 'Podman', version: '5.4.2', memoryBytes: 0 }), images: [] })
    expect(all.filter(({ level }) => level === 'fail')).toMatchObject([
      { id: 'docker', found: 'Podman 5.4.2 responds in place of Docker' },
    ])
    expect(all.map(({ id }) => id)).not.toContain('memory')
  })
})

describe('warns of', () => {
  test.each<[string, Partial<DoctorFacts>, Partial<DoctorCheck>]>([
    ['5 GiB of memory', withEngine({ memoryBytes: 5 * gibi }), { id: 'memory', expected: '6 GiB for comfortable use' }],
    [
      'little free memory',
      { availableMemoryBytes: gibi },
      { id: 'memory', next: 'close programs that use much memory' },
    ],
    [
      'a disk with little to spare',
      { freeDiskBytes: 3e9 },
      { id: 'disk', found: 'Docker has 3.0 GB free in /var/lib/docker' },
    ],
    ['few inotify instances', { inotify: { watches: 524_288, instances: 128 } }, { id: 'inotify' }],
    ['cgroup version 1', withEngine({ cgroup: 1 }), { id: 'cgroup' }],
    ['a rootless engine', withEngine({ rootless: true }), { id: 'docker-rootless' }],
    ['an engine from snap', withEngine({ dataRoot: '/var/snap/docker/common' }), { id: 'docker-snap' }],
    [
      'an engine clock that is behind',
      withEngine({ clockAhead: -90 }),
      { id: 'clock', found: "The clock of the Docker engine is 90 s behind this machine's clock" },
    ],
    [
      'another cluster',
      { otherClusters: ['school'] },
      { id: 'neighbours', next: 'kind delete cluster --name school, if you do not need it' },
    ],
    ['another Tetragon agent', { tetragonAgents: 1 }, { id: 'tetragon' }],
    [
      'a plugin whose npm package has another version',
      { versionMismatches: [{ name: 'pulumi-resource-kubernetes', pinned: '4.33.0', npm: '4.32.0' }] },
      { id: 'lock', next: `set the version of tools.pulumi-resource-kubernetes in ${lock.file} to 4.32.0` },
    ],
    [
      'a system clock that is behind',
      { charts: [missingChart], hosts: hosts('github.com', { state: 'reachable', clockAhead: -7200 }) },
      {
        id: 'clock-world',
        found: 'The clock of this machine is 7200 s behind the clock of github.com',
        next: 'sudo timedatectl set-ntp true',
      },
    ],
    ['a PID namespace of its own', { kernel: { ...goodFacts.kernel, features: noFeatures } }, { id: 'kernel' }],
  ])('%s', (_, facts, expected) => {
    expect(onlyProblem(facts)).toMatchObject({ level: 'warn', ...expected })
  })

  test.each<[HostResponse, string, RegExp]>([
    [
      { state: 'unresolved', code: 'ENOTFOUND' },
      'the host name github.com does not resolve',
      /^getent hosts github\.com/,
    ],
    [
      { state: 'proxy unreachable', proxy: 'http://proxy:3128' },
      'github.com does not respond through the proxy http://proxy:3128',
      /^unset HTTPS_PROXY/,
    ],
    [
      { state: 'untrusted', code: 'SELF_SIGNED_CERT_IN_CHAIN' },
      'the certificate of github.com is not trusted (SELF_SIGNED_CERT_IN_CHAIN)',
      /^export NODE_EXTRA_CA_CERTS=/,
    ],
    [{ state: 'unreachable' }, 'github.com does not respond', /--lock FILE$/],
  ])('a missing chart whose host has the response %j', (response, reason, next) => {
    expect(onlyProblem({ charts: [missingChart], hosts: hosts('github.com', response) })).toMatchObject({
      id: 'charts',
      level: 'warn',
      found: `loki 18.11.0 is missing, and ${reason}`,
      next: expect.stringMatching(next),
    })
  })

  test('images that do not exist for the engine’s platform, and names the setting that helps', () => {
    const images = [{ ...image, name: 'example.org/gb-frontend:v5', platforms: ['linux/amd64'] }]
    const upstream = parseSettings({ guestbook: { images: 'upstream' } })
    expect(onlyProblem({ ...withEngine({ platform: 'linux/arm64' }), images }, upstream)).toMatchObject({
      level: 'fail',
      found: 'example.org/gb-frontend:v5 is not published for linux/arm64',
      next: './lab pulumi config set --path tetragon-lab:guestbook.images lab',
    })
    expect(problemsIn({ images }, upstream)).toEqual([])
  })
})

describe('accepts', () => {
  test('the ports, the agent and the disk use of the running lab itself', () => {
    const running: Partial<DoctorFacts> = {
      running: true,
      tetragonAgents: 1,
      freeDiskBytes: 3.1e9,
      availableMemoryBytes: gibi,
      ports: goodFacts.ports.map(port => ({ ...port, state: 'in use by the lab' as const })),
    }
    expect(problemsIn(running)).toEqual([])
    expect(checkById('ports', running)?.found).toBe('8080, 3000 are in use by the lab')
    expect(onlyProblem({ ...running, tetragonAgents: 2 })).toMatchObject({ id: 'tetragon' })
  })

  test('a VM whose free disk space is not known yet', () => {
    const vm = { ...withEngine({ product: 'Colima', local: false }), freeDiskBytes: undefined }
    expect(checkById('disk', vm)).toMatchObject({
      level: 'ok',
      found: expect.stringMatching(/^free space not known yet, .* needs about 650 MB$/),
    })
  })

  test('missing images, with their size, host and proxy', () => {
    const images = [{ ...missingImage, host: 'quay.io' }]
    const response = { state: 'reachable', proxy: 'http://proxy:3128' } as const
    expect(checkById('images', { images, hosts: hosts('quay.io', response) })).toMatchObject({
      level: 'ok',
      found: 'docker.io/grafana/loki:3.7.6 to download from quay.io through http://proxy:3128, about 45 MB',
    })
  })

  test('missing charts whose host responds', () => {
    expect(
      checkById('charts', { charts: [missingChart], hosts: hosts('github.com', { state: 'reachable' }) }),
    ).toMatchObject({ level: 'ok', found: 'loki 18.11.0 to download from github.com' })
  })

  test('any engine for an existing cluster', () => {
    const existing = parseSettings({ cluster: { mode: 'existing', context: 'school' } })
    expect(problemsIn({ ...withEngine({ cpus: 1 }), foreignCluster: true, freeDiskBytes: 1 }, existing)).toEqual([])
  })

  test('any engine for an existing cluster, whose node has the kernel that counts', () => {
    const existing = parseSettings({ cluster: { mode: 'existing', context: 'school' } })
    const kernel = {
      ...goodFacts.kernel,
      source: 'replay',
      blocker: 'lockdown',
      why: 'Linux 6.1 cannot',
      probed: 'node',
    }
    const checks = allChecks(existing, lock, {
      ...goodFacts,
      ...withEngine({ product: 'OrbStack' }),
      kernel,
    } as DoctorFacts)
    expect(checks.find(({ id }) => id === 'kernel')).toMatchObject({
      level: 'warn',
      found: 'Linux 6.1 cannot, so the lab replays a recording',
      next: expect.stringMatching(/^on each node of the cluster: sudo sed .*lockdown=integrity/),
    })
    const why = 'The kernel was not probed: `lab up` probes node worker'
    const unknown = { ...goodFacts.kernel, source: 'replay', why, probed: 'none', features: noFeatures } as const
    const [row] = allChecks(existing, lock, { ...goodFacts, kernel: unknown }).filter(({ id }) => id === 'kernel')
    expect(row).toMatchObject({ level: 'ok', found: why })
  })

  test('a kernel that has not been probed', () => {
    const kernel = { ...goodFacts.kernel, source: 'replay', probed: 'none', features: noFeatures } as const
    expect(problemsIn({ kernel })).toEqual([])
  })
})
