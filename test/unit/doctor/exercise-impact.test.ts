import { describe, expect, test } from 'vitest'
import { exercises } from '../../../scripts/doctor/checks/exercises.ts'
import { kernel } from '../../../scripts/doctor/checks/kernel.ts'
import type { DoctorCheck } from '../../../scripts/doctor/doctor-check.ts'
import { costOf, possible } from '../../../scripts/doctor/exercise-impact.ts'
import type { Facts } from '../../../scripts/doctor/facts/facts.ts'
import { type Exercise, readExercises } from '../../../scripts/exercise/definition/exercises.ts'
import type { Needs } from '../../../scripts/exercise/definition/schema.ts'
import type { Decision } from '../../../scripts/kernel/decision.ts'
import { type Features, noFeatures } from '../../../scripts/kernel/features.ts'
import { type CatalogEntry, readCatalog } from '../../../scripts/policy/catalog.ts'
import { parseSettings } from '../../../shared/settings/schema.ts'

// What a kernel is worth to a class, by a few exercises as these are written, and by the lab's own.

const needs = (some: Partial<Needs> = {}): Needs => ({ source: 'any', features: [], settings: {}, ...some })
const exercise = (name: string, of: Needs, ...tasks: (Needs | undefined)[]): Exercise =>
  ({
    name,
    title: name,
    track: 'stop',
    needs: of,
    tasks: tasks.map((each, at) => ({ id: `t${at}`, needs: each })),
  }) as Exercise
const own = { exercises: readExercises(), policies: readCatalog() }
const lessons = {
  exercises: [
    exercise('04-find-the-reader', needs(), undefined, undefined),
    exercise(
      '08-refuse-or-kill',
      needs(),
      ...Array<undefined>(5).fill(undefined),
      needs({ source: 'live', features: ['sigkill', 'overrideSecurity'] }),
      needs({ source: 'live', features: ['sigkill'] }),
      needs({ source: 'live', features: ['overrideSecurity'] }),
    ),
    exercise('13-nothing-is-lost', needs({ settings: { 'pipeline.shipper': 'otel' } }), undefined),
    exercise('16-a-second-copy', needs({ settings: { 'pipeline.shipper': 'otel' } }), undefined),
  ],
  policies: (
    [
      ['deny-shadow', ['kprobes', 'overrideSecurity']],
      ['deny-shadow-monitor', ['kprobes', 'overrideSecurity']],
      ['deny-shadow-lsm', ['lsm']],
      ['deny-wget', ['kprobes', 'overrideSecurity']],
      ['kill-wget', ['kprobes', 'sigkill']],
      ['observe-wget', ['kprobes']],
      ['tcp-connect', ['kprobes']],
    ] as const
  ).map(([name, features]) => ({ name, features: [...features] }) as unknown as CatalogEntry),
}
const settings = parseSettings({})
const all: Features = {
  btf: true,
  kprobes: true,
  kprobeMulti: true,
  sigkill: true,
  override: true,
  overrideSecurity: true,
  lsm: true,
  uprobes: true,
  hostPids: true,
}
const live = (features: Partial<Features> = {}, kernel: Partial<Decision['kernel']> = {}): Decision => ({
  source: 'live',
  why: 'Linux 6.8.0 can run Tetragon',
  asked: 'this machine',
  features: { ...all, ...features },
  kernel: {
    release: '6.8.0',
    lockdown: 'none',
    lsm: ['lockdown', 'capability', 'yama'],
    tracefs: 'mounted',
    ...kernel,
  },
})
const replay: Decision = {
  source: 'replay',
  lack: 'btf',
  why: 'Linux 6.8.0 cannot run Tetragon: it has no type information for BPF (CONFIG_DEBUG_INFO_BTF)',
  asked: 'engine',
  features: noFeatures,
}
const unasked: Decision = { ...replay, lack: undefined, why: 'The kernel was not asked: no image', asked: 'nobody' }

const names = (kernel: Decision, can: string, set = settings): string[] =>
  possible(lessons.exercises, set, kernel)
    .filter(each => each.can === can)
    .map(({ name }) => name)

test("the lab's own exercises: each is judged, and on a kernel that has everything nothing is left out", () => {
  const best = possible(own.exercises, settings, live())
  expect(best.map(({ name }) => name)).toEqual(own.exercises.map(({ name }) => name))
  expect(best.filter(({ can }) => can !== 'all')).toEqual([])
  const worst = possible(own.exercises, settings, replay)
  for (const { can, why, doable, tasks } of worst) {
    expect(why === undefined).toBe(can === 'all')
    expect(can).toBe(doable === tasks ? 'all' : doable > 0 ? 'some' : 'none')
  }
  expect(worst.some(({ can }) => can === 'all')).toBe(true)
  expect(worst.some(({ can }) => can !== 'all')).toBe(true)
  expect(costOf(['overrideSecurity'], own)).toMatch(/tasks? of 08-.*polic(y|ies) .*deny-/)
})

describe('which exercises can be done', () => {
  test('all on a kernel that has everything', () => {
    expect(names(live(), 'all')).toHaveLength(lessons.exercises.length)
  })

  test('those that enforce only in part where a recording is played', () => {
    expect(names(replay, 'some')).toEqual(['08-refuse-or-kill'])
    const [one] = possible(lessons.exercises, settings, replay).filter(({ can }) => can === 'some')
    expect(one).toMatchObject({ tasks: 8, doable: 5, why: expect.stringMatching(/^needs the live Tetragon/) })
  })

  test('one thing that is missing costs the tasks that need it', () => {
    const [one] = possible(lessons.exercises, settings, live({ overrideSecurity: false })).filter(
      ({ can }) => can === 'some',
    )
    expect(one).toMatchObject({ name: '08-refuse-or-kill', doable: 6 })
  })

  test('a kernel that nobody asked leaves open what takes it, and no more', () => {
    expect(names(unasked, 'unknown')).toEqual(['08-refuse-or-kill'])
    expect(names(unasked, 'all')).toHaveLength(lessons.exercises.length - 1)
    const set = parseSettings({ tetragon: { source: 'replay' } })
    expect(names(unasked, 'some', set)).toEqual(['08-refuse-or-kill'])
  })

  test('settings that must be other', () => {
    const fluent = parseSettings({ pipeline: { shipper: 'fluent-bit' } })
    expect(names(live(), 'none', fluent)).toEqual(['13-nothing-is-lost', '16-a-second-copy'])
    expect(names(unasked, 'none', fluent)).toEqual(['13-nothing-is-lost', '16-a-second-copy'])
    const check = exercises(fluent, { kernel: live() } as Facts, lessons)
    expect(check).toMatchObject({
      level: 'warn',
      next: './lab pulumi config set --path tetragon-lab:pipeline.shipper otel',
    })
    expect(check.found).toContain('13-nothing-is-lost not at all')
  })

  test('said in one row', () => {
    const row = (kernel: Decision): DoctorCheck => exercises(settings, { kernel } as Facts, lessons)
    const of = lessons.exercises.length
    expect(row(live())).toMatchObject({ level: 'ok', found: `${of} of ${of} can be done here in full` })
    expect(row(unasked)).toMatchObject({ level: 'ok', found: expect.stringContaining('1 take the live kernel') })
    expect(row(replay)).toMatchObject({
      level: 'warn',
      found: expect.stringMatching(/08-refuse-or-kill 5 of 8 tasks: needs the live Tetragon/),
      next: './lab exercise list',
    })
  })
})

test('what the lack of something costs, in tasks and policies; a twin in monitor mode does not count', () => {
  expect(costOf([], lessons)).toBe('')
  expect(costOf(['override'], lessons)).toBe('')
  expect(costOf(['lsm'], lessons)).toBe('policy deny-shadow-lsm')
  expect(costOf(['overrideSecurity'], lessons)).toBe(
    '2 of 8 tasks of 08-refuse-or-kill, policies deny-shadow, deny-wget',
  )
  expect(costOf(['kprobes'], lessons)).toBe('policies deny-shadow, deny-wget, kill-wget and 2 more')
})

describe('rows about the kernel', () => {
  const rows = (kernelFound: Decision, set = settings): DoctorCheck[] =>
    kernel(
      set,
      {
        kernel: kernelFound,
        engine: { product: 'Docker Engine', local: true, endpoint: '', wsl: false, system: 'Ubuntu' },
      } as Facts,
      lessons,
    )
  const byId = (found: DoctorCheck[]) => Object.fromEntries(found.map(check => [check.id, check]))

  test('one that has everything', () => {
    expect(rows(live()).map(({ id, level }) => [id, level])).toEqual([
      ['kernel', 'ok'],
      ['kernel-lockdown', 'ok'],
      ['kernel-features', 'ok'],
    ])
  })

  test('each thing that is missed is a row with what it costs and what mends it', () => {
    const found = byId(rows(live({ lsm: false, overrideSecurity: false, override: false }, { lockdown: 'integrity' })))
    expect(found['kernel-lsm']).toMatchObject({
      level: 'warn',
      found: 'BPF LSM (`bpf` in /sys/kernel/security/lsm), which costs policy deny-shadow-lsm',
      next: expect.stringContaining('lsm=lockdown,yama,bpf'),
    })
    expect(found['kernel-overrideSecurity']).toMatchObject({
      found: expect.stringContaining('which costs 2 of 8 tasks of 08-refuse-or-kill'),
      next: 'sudo apt install linux-image-generic, then reboot into it',
    })
    // Nothing of the lab needs it, so it is no row of its own
    expect(found).not.toHaveProperty('kernel-override')
    expect(found['kernel-features']?.found).toBe(
      'Sigkill, kprobe_multi, uprobes; not, and here nothing needs it: Override of system calls',
    )
    expect(found['kernel-lockdown']).toMatchObject({ level: 'ok', found: 'integrity, with which Tetragon runs' })
  })

  test('one that cannot run Tetragon at all: what that costs, and who makes a better one', () => {
    const [only, ...rest] = rows(replay)
    expect(rest).toEqual([])
    expect(only).toMatchObject({
      level: 'warn',
      found: expect.stringMatching(
        /; a recording is replayed in its place, which costs 3 of 8 tasks of 08-refuse-or-kill/,
      ),
      next: 'sudo apt install linux-image-generic, then reboot into it',
    })
  })

  test('nothing about it where it is not asked for, or could not be asked', () => {
    expect(rows(unasked)).toMatchObject([{ id: 'kernel', level: 'ok' }])
    expect(rows(replay, parseSettings({ tetragon: { source: 'replay' } }))).toMatchObject([
      { id: 'kernel', level: 'ok' },
    ])
  })

  test('tracefs that is not mounted is no lack', () => {
    expect(rows(live({}, { tracefs: 'unmounted' }))[0]).toMatchObject({
      level: 'ok',
      found: expect.stringContaining('tracefs is not mounted'),
    })
  })
})
