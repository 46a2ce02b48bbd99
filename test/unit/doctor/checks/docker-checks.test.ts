import { describe, expect, test } from 'vitest'
import { dockerChecks, podmanCheck } from '../../../../scripts/doctor/checks/docker-checks.ts'
import { resourceChecks } from '../../../../scripts/doctor/checks/resource-checks.ts'
import type { DoctorCheck } from '../../../../scripts/doctor/doctor-check.ts'
import type { DoctorFacts } from '../../../../scripts/doctor/facts/gather-facts.ts'
import type { EngineFacts } from '../../../../scripts/engine/engine-facts.ts'
import { fixFor } from '../../../../scripts/engine/products.ts'
import { readLock } from '../../../../shared/lock.ts'
import { recordedEngine } from '../../support/docker-info.ts'

const lock = readLock('')

/** Returns the facts that these checks read besides the engine. */
const facts = (os = 'linux'): DoctorFacts => ({ os, images: [], running: false }) as unknown as DoctorFacts

const checksOf = (engine: EngineFacts, os?: string): DoctorCheck[] => [
  ...dockerChecks(engine, facts(os)),
  ...resourceChecks(engine, facts(os), lock),
]
/** Returns the checks that did not pass, by id. */
const problemsOf = (engine: EngineFacts, os?: string): Record<string, DoctorCheck> =>
  Object.fromEntries(
    checksOf(engine, os)
      .filter(({ level }) => level !== 'ok')
      .map(check => [check.id, check]),
  )

test('finds no problem with Docker Engine on Ubuntu or with OrbStack', () => {
  expect(problemsOf(recordedEngine('docker-engine-ubuntu'))).toEqual({})
  expect(problemsOf(recordedEngine('orbstack'), 'darwin')).toEqual({})
})

test('names the product and its virtual machine', () => {
  const checks = checksOf(recordedEngine('docker-desktop-mac'), 'darwin')
  expect(checks.find(({ id }) => id === 'docker-machine')).toMatchObject({
    title: 'Docker Desktop',
    found: expect.stringMatching(/^Docker Desktop: .*virtual machine/),
  })
})

test.each(['colima', 'docker-desktop-wsl2', 'docker-engine-ubuntu'])(
  'reports too little memory and too few processors of %s with the commands of its product',
  name => {
    const engine = { ...recordedEngine(name), memoryBytes: 2e9, cpus: 1 }
    expect(problemsOf(engine)).toMatchObject({
      memory: { level: 'fail', found: expect.stringContaining('1.9 GiB'), next: fixFor(engine, 'memory') },
      cpus: { level: 'fail', next: fixFor(engine, 'cpus') },
    })
  },
)

describe('reports an engine that', () => {
  test('runs without root', () => {
    expect(problemsOf(recordedEngine('docker-engine-rootless'))).toMatchObject({
      'docker-rootless': { level: 'warn', next: 'docker context use default; unset DOCKER_HOST' },
    })
    expect(problemsOf(recordedEngine('lima-docker'))['docker-rootless']?.next).toMatch(
      /^limactl start template:\/\/docker-rootful/,
    )
  })

  test('was installed by snap', () =>
    expect(problemsOf(recordedEngine('docker-engine-snap'))).toHaveProperty('docker-snap'))

  test('runs Windows containers', () =>
    expect(problemsOf(recordedEngine('docker-desktop-windows-containers')).docker).toMatchObject({
      found: expect.stringContaining('windows/amd64'),
      next: expect.stringContaining('Linux containers'),
    }))

  test('is on another machine', () =>
    expect(problemsOf(recordedEngine('docker-engine-remote')).docker?.found).toMatch(
      /on another machine \(ssh:\/\/ada@server\)$/,
    ))

  test('uses control groups version 1', () => {
    const next = (engine: EngineFacts) => problemsOf(engine).cgroup?.next
    expect(next(recordedEngine('docker-engine-20.10-cgroup-v1'))).toContain('systemd.unified_cgroup_hierarchy=1')
    expect(next({ ...recordedEngine('docker-engine-wsl2'), cgroup: 1 })).toBe(
      'on Windows: add kernelCommandLine=cgroup_no_v1=all under [wsl2] in %UserProfile%\\.wslconfig, then run wsl --shutdown',
    )
  })

  test('has a clock that stopped', () =>
    expect(problemsOf({ ...recordedEngine('colima'), memoryBytes: 8e9, clockAhead: -900 }, 'darwin')).toMatchObject({
      clock: { found: expect.stringContaining('900 s behind'), next: 'colima restart' },
    }))
})

test('raises inotify limits with sysctl on this machine, and from a container in a VM', () => {
  const low = { ...facts(), inotify: { instances: 128, watches: 8192 } }
  const next = (name: string) =>
    resourceChecks(recordedEngine(name), low, lock).find(({ id }) => id === 'inotify')?.next
  expect(next('docker-engine-ubuntu')).toMatch(/^sudo sysctl fs\.inotify/)
  expect(next('docker-desktop-mac')).toMatch(
    /^docker run --rm --privileged --entrypoint sysctl docker\.io\/kindest\/node:\S+ -w fs\.inotify/,
  )
})

test('says that the lab ignores KIND_EXPERIMENTAL_PROVIDER', () => {
  const checks = dockerChecks(recordedEngine('docker-engine-ubuntu'), { ...facts(), kindProvider: 'podman' })
  expect(checks.find(({ id }) => id === 'kind-provider')).toMatchObject({
    level: 'ok',
    found: expect.stringContaining('KIND_EXPERIMENTAL_PROVIDER=podman'),
  })
})

test.each([
  ['podman-rootless-socket', 'linux', /^docker context use default; unset DOCKER_HOST/],
  ['podman-as-docker-command', 'linux', /^install Docker Engine, which replaces podman-docker/],
  ['podman-machine-mac', 'darwin', /^brew install colima docker && colima start --cpu 4 --memory 8/],
])('names Podman and leads %s to Docker', (name, os, next) => {
  const problem = podmanCheck(recordedEngine(name), facts(os))
  expect(problem.found).toMatch(/Podman 5\.4\.2/)
  expect(problem.next).toMatch(next)
})
