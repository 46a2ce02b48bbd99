import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { docker, podman } from '../../../scripts/doctor/checks/engine.ts'
import { resources } from '../../../scripts/doctor/checks/resources.ts'
import type { DoctorCheck } from '../../../scripts/doctor/doctor-check.ts'
import type { Facts } from '../../../scripts/doctor/facts/facts.ts'
import { kernelOption, mendLack, mendLsm } from '../../../scripts/doctor/kernel-fixes.ts'
import { dockerProblem } from '../../../scripts/engine/docker.ts'
import { type EngineFacts, type Info, inMachine, readEngine, remote } from '../../../scripts/engine/engine-facts.ts'
import { moreFor, type Product, proxyFor, restart, start } from '../../../scripts/engine/products.ts'
import { readLock } from '../../../shared/lock.ts'

// What `docker info` says with each way of having an engine, in its own form, shortened to what tells them apart and what the lab reads.

const folder = join(import.meta.dirname, 'engines')
const names = readdirSync(folder).map(file => file.replace(/\.json$/, ''))

function engineOf(name: string): EngineFacts {
  const { info, now, ...asked } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as {
    endpoint: string
    os: string
    release: string
    now: string
    info: Info
  }
  return readEngine(info, { ...asked, now: Date.parse(now) })
}

const lock = readLock('')
/** What the checks of an engine look at besides it. */
const facts = (os = 'linux'): Facts => ({ os, images: [], running: false }) as unknown as Facts
const rows = (engine: EngineFacts, os?: string): DoctorCheck[] => [
  ...docker(engine, facts(os)),
  ...resources(engine, facts(os), lock),
]
const bad = (engine: EngineFacts, os?: string): Record<string, DoctorCheck> =>
  Object.fromEntries(
    rows(engine, os)
      .filter(({ level }) => level !== 'ok')
      .map(check => [check.id, check]),
  )

test.each<
  [string, Product, Partial<{ local: boolean; wsl: boolean; machine: boolean; remote: boolean; rootless: boolean }>]
>([
  ['docker-engine-ubuntu', 'Docker Engine', { local: true }],
  ['docker-engine-rootless', 'Docker Engine', { local: true, rootless: true }],
  ['docker-engine-snap', 'Docker Engine', { local: true }],
  ['docker-engine-wsl2', 'Docker Engine', { local: true, wsl: true }],
  ['docker-engine-20.10-cgroup-v1', 'Docker Engine', { local: true }],
  ['docker-engine-remote', 'Docker Engine', { remote: true }],
  ['docker-desktop-mac', 'Docker Desktop', { machine: true }],
  ['docker-desktop-linux', 'Docker Desktop', { machine: true }],
  ['docker-desktop-wsl2', 'Docker Desktop', { machine: true, wsl: true }],
  ['docker-desktop-windows-containers', 'Docker Engine', {}],
  ['colima', 'Colima', { machine: true }],
  ['colima-profile', 'Colima', { machine: true }],
  ['lima-docker', 'Lima', { machine: true, rootless: true }],
  ['orbstack', 'OrbStack', { machine: true }],
  ['rancher-desktop-mac', 'Rancher Desktop', { machine: true }],
  ['rancher-desktop-wsl2', 'Rancher Desktop', { machine: true, wsl: true }],
  ['podman-rootless-socket', 'Podman', { local: true, rootless: true }],
  ['podman-machine-mac', 'Podman', {}],
  ['podman-as-docker-command', 'Podman', { local: true, rootless: true }],
])('%s is known as %s', (name, product, traits) => {
  const engine = engineOf(name)
  expect({
    product: engine.product,
    local: engine.local,
    wsl: engine.wsl,
    machine: inMachine(engine),
    remote: remote(engine),
    rootless: engine.rootless,
  }).toEqual({ product, local: false, wsl: false, machine: false, remote: false, rootless: false, ...traits })
  expect(engine.version).toMatch(/^\d+\.\d+\.\d+$/)
  expect(engine.cpus).toBeGreaterThan(0)
  expect(engine.memoryBytes).toBeGreaterThan(1e9)
  expect(engine.platform).toMatch(/^(linux|windows)\/(amd64|arm64)$/)
})

test('every engine that is described is in that table', () => expect(names).toHaveLength(19))

test('an engine that is well says so, and names its product where that has a machine of its own', () => {
  expect(bad(engineOf('docker-engine-ubuntu'))).toEqual({})
  expect(bad(engineOf('orbstack'), 'darwin')).toEqual({})
  expect(rows(engineOf('docker-desktop-mac'), 'darwin').find(({ id }) => id === 'docker-machine')).toMatchObject({
    title: 'Docker Desktop',
    found: 'Docker Desktop: events are those of its virtual machine, not of your desktop',
  })
})

describe('too little memory is mended in its own way', () => {
  test.each([
    ['colima', 'colima stop && colima start --memory 8'],
    ['colima-profile', 'colima stop --profile school && colima start --profile school --memory 8'],
    ['lima-docker', 'limactl stop docker && limactl edit --memory 8 docker && limactl start docker'],
    ['docker-desktop-linux', 'Docker Desktop: Settings, Resources, Memory limit: 8 GB, then Apply & restart'],
    [
      'docker-desktop-wsl2',
      'in Windows: put memory=8GB below [wsl2] in %UserProfile%\\.wslconfig, then wsl --shutdown',
    ],
    ['docker-engine-wsl2', 'in Windows: put memory=8GB below [wsl2] in %UserProfile%\\.wslconfig, then wsl --shutdown'],
    ['orbstack', 'orb config set memory_mib 8192 && orb stop && orb start'],
    ['rancher-desktop-mac', 'rdctl set --virtual-machine.memory-in-gb 8'],
    ['docker-engine-ubuntu', 'close what needs much, or use a machine with more'],
  ])('%s', (name, next) => {
    const engine = { ...engineOf(name), memoryBytes: 2e9, cpus: 1 }
    expect(bad(engine)).toMatchObject({
      memory: { level: 'fail', found: '1.9 GiB for Docker', next },
      cpus: { level: 'fail', next: moreFor(engine).cpus },
    })
  })
})

describe('what is wrong with an engine, by who brings it', () => {
  test('rootless', () => {
    expect(bad(engineOf('docker-engine-rootless'))).toMatchObject({
      'docker-rootless': { level: 'warn', next: 'docker context use default; unset DOCKER_HOST' },
    })
    expect(bad(engineOf('lima-docker'))['docker-rootless']?.next).toMatch(/^limactl start template:\/\/docker-rootful/)
  })

  test('from snap, for Windows, on another machine', () => {
    expect(bad(engineOf('docker-engine-snap'))).toHaveProperty('docker-snap')
    expect(bad(engineOf('docker-desktop-windows-containers')).docker).toMatchObject({
      found: 'an engine for windows/amd64',
      next: 'switch Docker Desktop to Linux containers',
    })
    expect(bad(engineOf('docker-engine-remote')).docker?.found).toBe(
      'the engine is on another machine (ssh://ada@server)',
    )
  })

  test('control groups 1: an option of the kernel, where the kernel is', () => {
    expect(bad(engineOf('docker-engine-20.10-cgroup-v1')).cgroup?.next).toContain('systemd.unified_cgroup_hierarchy=1')
    expect(bad({ ...engineOf('docker-engine-wsl2'), cgroup: 1 }).cgroup?.next).toBe(
      'in Windows: put kernelCommandLine=cgroup_no_v1=all below [wsl2] in %UserProfile%\\.wslconfig, then wsl --shutdown',
    )
  })

  test('inotify limits of a machine that nobody logs in to are set from a container', () => {
    const low = { ...facts(), inotify: { instances: 128, watches: 8192 } }
    const next = (name: string) => resources(engineOf(name), low, lock).find(({ id }) => id === 'inotify')?.next
    expect(next('docker-engine-ubuntu')).toMatch(/^sudo sysctl fs\.inotify/)
    expect(next('docker-desktop-mac')).toMatch(
      /^docker run --rm --privileged --entrypoint sysctl docker\.io\/kindest\/node:\S+ -w fs\.inotify/,
    )
  })

  test("a clock that stood still is that of the engine's own machine", () => {
    expect(bad({ ...engineOf('colima'), memoryBytes: 8e9, clockAhead: -900 }, 'darwin')).toMatchObject({
      clock: { found: "the engine's clock is 900 s behind", next: 'colima restart' },
    })
  })

  test("kind's own choice of another engine is not followed, and that is said", () => {
    const row = docker(engineOf('docker-engine-ubuntu'), { ...facts(), kindProvider: 'podman' }).find(
      ({ id }) => id === 'kind-provider',
    )
    expect(row).toMatchObject({ level: 'ok', found: expect.stringContaining('KIND_EXPERIMENTAL_PROVIDER=podman') })
  })
})

test.each([
  ['podman-rootless-socket', 'linux', /^docker context use default; unset DOCKER_HOST/],
  ['podman-as-docker-command', 'linux', /^install Docker Engine, which replaces podman-docker/],
  ['podman-machine-mac', 'darwin', /^brew install colima docker && colima start --cpu 4 --memory 8/],
])('%s: Podman is named, and the way to Docker is one command', (name, os, next) => {
  const says = podman(engineOf(name), facts(os))
  expect(says.found).toBe("Podman 5.4.2 answers in Docker's place")
  expect(says.next).toMatch(next)
})

describe('an engine that does not answer is started, or started anew, in its own way', () => {
  const { DOCKER_HOST } = process.env
  test.each([
    ['unix:///Users/ada/.colima/default/docker.sock', 'darwin', 'colima start', 'colima restart'],
    ['unix:///Users/ada/.orbstack/run/docker.sock', 'darwin', 'orb start', 'orb stop && orb start'],
    ['unix:///Users/ada/.rd/docker.sock', 'darwin', 'rdctl start', 'rdctl shutdown && rdctl start'],
    [
      'unix:///Users/ada/.docker/run/docker.sock',
      'darwin',
      'start Docker Desktop',
      'docker desktop restart, or in its menu: Restart',
    ],
    [
      'unix:///Users/ada/.lima/docker/sock/docker.sock',
      'darwin',
      'limactl start docker',
      'limactl stop --force docker && limactl start docker',
    ],
    ['unix:///var/run/docker.sock', 'linux', 'sudo systemctl start docker', 'sudo systemctl restart docker'],
  ])('%s', (endpoint, platform, starts, restarts) => {
    try {
      process.env.DOCKER_HOST = endpoint
      const away = dockerProblem(
        ['info'],
        { stderr: `Cannot connect to the Docker daemon at ${endpoint}. Is the docker daemon running?` },
        platform,
      )
      expect(away).toMatchObject({ found: `Docker does not answer at ${endpoint}`, next: starts })
      const hangs = dockerProblem(['info'], { stderr: '', timedOut: true }, platform)
      expect(hangs).toMatchObject({
        found: `Docker takes the call at ${endpoint} and does not answer in time`,
        next: restarts,
      })
    } finally {
      if (DOCKER_HOST === undefined) delete process.env.DOCKER_HOST
      else process.env.DOCKER_HOST = DOCKER_HOST
    }
  })

  test('in Windows too', () => {
    const engine = engineOf('docker-engine-wsl2')
    expect(start(engine, 'linux')).toMatch(/^sudo service docker start/)
    expect(restart(engine, 'linux')).toMatch(/^sudo service docker restart/)
  })
})

describe('a kernel is mended by who brings it', () => {
  test.each([
    ['docker-engine-ubuntu', 'sudo apt install linux-image-generic, then reboot into it'],
    ['docker-engine-wsl2', 'in Windows: wsl --update, then wsl --shutdown'],
    ['docker-desktop-wsl2', 'in Windows: wsl --update, then wsl --shutdown'],
    ['orbstack', 'update OrbStack; if it stays so: colima start --cpu 4 --memory 8 && docker context use colima'],
    ['podman-rootless-socket', 'sudo dnf install kernel, then reboot into it'],
  ])('%s without type information', (name, next) => expect(mendLack('btf', engineOf(name))).toBe(next))

  test('BPF among the security modules: the modules that are there, and one more', () => {
    const lsm = ['lockdown', 'capability', 'landlock', 'yama', 'apparmor']
    expect(mendLsm(lsm, engineOf('docker-engine-ubuntu'))).toBe(
      `echo 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX lsm=lockdown,landlock,yama,apparmor,bpf"' | sudo tee -a /etc/default/grub && sudo update-grub, then reboot`,
    )
    expect(mendLsm(lsm, { ...engineOf('docker-engine-ubuntu'), system: 'Fedora Linux 42' })).toBe(
      "sudo grubby --update-kernel=ALL --args='lsm=lockdown,landlock,yama,apparmor,bpf', then reboot",
    )
    expect(mendLsm(lsm, engineOf('colima'))).toMatch(/^colima ssh, and in there: echo .*; then colima restart$/)
    expect(mendLsm(lsm, engineOf('docker-desktop-mac'))).toMatch(
      /^an engine whose kernel takes lsm=\S+,bpf: colima start/,
    )
  })

  test('lockdown, and root', () => {
    expect(mendLack('lockdown', engineOf('docker-engine-ubuntu'))).toMatch(/^sudo sed -i .*lockdown=integrity/)
    expect(mendLack('root', engineOf('docker-engine-rootless'))).toBe('docker context use default; unset DOCKER_HOST')
    expect(kernelOption('x=1', engineOf('docker-engine-wsl2'))).toMatch(/^in Windows: put kernelCommandLine=x=1/)
  })
})

test.each([
  ['docker-engine-ubuntu', /^sudo mkdir -p .* http:\/\/proxy:3128 \| sudo tee .* && sudo systemctl restart docker$/],
  ['docker-desktop-mac', /^Docker Desktop: Settings, Resources, Proxies: http:\/\/proxy:3128$/],
  ['colima', /^colima stop && colima start --env HTTP_PROXY=http:\/\/proxy:3128 --env/],
  ['orbstack', /^orb config set network_proxy http:\/\/proxy:3128$/],
])('%s is given a proxy in its own way', (name, command) =>
  expect(proxyFor(engineOf(name), 'http://proxy:3128')).toMatch(command),
)
