import { describe, expect, test } from 'vitest'
import { kernelChecks } from '../../../../scripts/doctor/checks/kernel-checks.ts'
import type { DoctorCheck } from '../../../../scripts/doctor/doctor-check.ts'
import type { DoctorFacts } from '../../../../scripts/doctor/facts/gather-facts.ts'
import type { Decision } from '../../../../scripts/kernel/decision.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'
import { live, material, notProbed, replay } from '../teaching-material.ts'

const engine = { product: 'Docker Engine', local: true, endpoint: '', wsl: false, system: 'Ubuntu' }
const checksFor = (kernel: Decision, settings = parseSettings({})): DoctorCheck[] =>
  kernelChecks(settings, { kernel, engine } as DoctorFacts, material)

test('finds no problem on a kernel with all features', () => {
  expect(checksFor(live()).map(({ id, level }) => [id, level])).toEqual([
    ['kernel', 'ok'],
    ['kernel-lockdown', 'ok'],
    ['kernel-features', 'ok'],
  ])
})

test('warns of each missing feature that the lab uses, with its impact and fix', () => {
  const kernel = live({ lsm: false, overrideSecurity: false, override: false }, { lockdown: 'integrity' })
  const checks = Object.fromEntries(checksFor(kernel).map(check => [check.id, check]))
  expect(checks['kernel-lsm']).toMatchObject({
    level: 'warn',
    found: 'The kernel lacks BPF LSM (`bpf` in /sys/kernel/security/lsm), which rules out policy deny-shadow-lsm',
    next: expect.stringContaining('lsm=lockdown,yama,bpf'),
  })
  expect(checks['kernel-overrideSecurity']).toMatchObject({
    found: expect.stringContaining('which rules out 2 of 8 tasks of 08-refuse-or-kill'),
    next: 'sudo apt install linux-image-generic, then reboot into it',
  })
  // No exercise or policy needs it.
  expect(checks).not.toHaveProperty('kernel-override')
  expect(checks['kernel-features']?.found).toBe(
    'signals from BPF, multi-kprobes, uprobes; missing, but not needed here: Override of system calls',
  )
  expect(checks['kernel-lockdown']).toMatchObject({ level: 'ok', found: 'integrity, which Tetragon supports' })
})

test('warns of a kernel that cannot run Tetragon, with everything that it rules out', () => {
  const [check, ...others] = checksFor(replay)
  expect(others).toEqual([])
  expect(check).toMatchObject({
    level: 'warn',
    found: expect.stringMatching(/, so the lab replays a recording, which rules out 3 of 8 tasks of 08-refuse-or-kill/),
    next: 'sudo apt install linux-image-generic, then reboot into it',
  })
})

test('accepts any kernel that has not been probed or is not needed', () => {
  expect(checksFor(notProbed)).toMatchObject([{ id: 'kernel', level: 'ok' }])
  expect(checksFor(replay, parseSettings({ tetragon: { source: 'replay' } }))).toMatchObject([
    { id: 'kernel', level: 'ok' },
  ])
})

test('accepts tracefs that is not mounted', () => {
  expect(checksFor(live({}, { tracefs: 'unmounted' }))[0]).toMatchObject({
    level: 'ok',
    found: expect.stringContaining('the agent mounts tracefs itself'),
  })
})

describe('in a dev container', () => {
  const why =
    'Docker runs in a container, so its /proc is not that of the machine: Tetragon would name the wrong processes'
  const kernel = { ...live(), source: 'replay', blocker: 'container', why } as const

  test('warns that events are a replay, although the kernel could run Tetragon', () => {
    expect(checksFor(kernel)[0]).toMatchObject({
      level: 'warn',
      found: expect.stringMatching(/would name the wrong processes, so the lab replays a recording, which rules out/),
      expected: 'an engine on the machine itself, for live events and enforcement',
      next: 'run ./lab on the machine itself, outside of the container',
    })
  })

  test('says where to run a command that changes the kernel', () => {
    const facts = { kernel: replay, engine, container: 'GitHub Codespaces' } as DoctorFacts
    expect(kernelChecks(parseSettings({}), facts, material)[0]?.next).toBe(
      'outside of the container: sudo apt install linux-image-generic, then reboot into it',
    )
  })

  test('warns of live events, and lets those start who want them', () => {
    const [check] = checksFor(kernel, parseSettings({ tetragon: { source: 'live' } }))
    expect(check).toMatchObject({
      level: 'warn',
      found: `${why}, and tetragon.source is live`,
      next: './lab pulumi config set --path tetragon-lab:tetragon.source auto',
    })
  })
})
