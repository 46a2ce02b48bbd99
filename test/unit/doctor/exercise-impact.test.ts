import { describe, expect, test } from 'vitest'
import { exerciseCheck } from '../../../scripts/doctor/checks/exercise-check.ts'
import type { DoctorCheck } from '../../../scripts/doctor/doctor-check.ts'
import { assessExercises, missingFeatureImpact } from '../../../scripts/doctor/exercise-impact.ts'
import type { DoctorFacts } from '../../../scripts/doctor/facts/gather-facts.ts'
import { readExercises } from '../../../scripts/exercise/definition/exercises.ts'
import type { Decision } from '../../../scripts/kernel/decision.ts'
import { readCatalog } from '../../../scripts/policy/catalog.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { live, material, notProbed, replay } from './teaching-material.ts'

const settings = parseSettings({})
const fluentBit = parseSettings({ pipeline: { shipper: 'fluent-bit' } })

const namesWith = (can: string, kernel: Decision, of = settings): string[] =>
  assessExercises(material.exercises, of, kernel)
    .filter(exercise => exercise.can === can)
    .map(({ name }) => name)

test('the lab’s own exercises can all be completed on the best kernel, and some in part on the worst', () => {
  const exercises = readExercises()
  const best = assessExercises(exercises, settings, live())
  expect(best.map(({ name }) => name)).toEqual(exercises.map(({ name }) => name))
  expect(best.filter(({ can }) => can !== 'all')).toEqual([])
  const worst = assessExercises(exercises, settings, replay)
  for (const { can, why, doable, tasks } of worst) {
    expect(why === undefined).toBe(can === 'all')
    expect(can).toBe(doable === tasks ? 'all' : doable > 0 ? 'some' : 'none')
  }
  expect(worst.some(({ can }) => can === 'all')).toBe(true)
  expect(worst.some(({ can }) => can !== 'all')).toBe(true)
  expect(missingFeatureImpact(['overrideSecurity'], { exercises, policies: readCatalog() })).toMatch(
    /tasks? of 08-.*polic(y|ies) .*deny-/,
  )
})

describe('assesses', () => {
  test('every exercise as complete on a kernel with all features', () => {
    expect(namesWith('all', live())).toHaveLength(material.exercises.length)
  })

  test('enforcement as incomplete with a recording, and says why', () => {
    expect(namesWith('some', replay)).toEqual(['08-refuse-or-kill'])
    const [impact] = assessExercises(material.exercises, settings, replay).filter(({ can }) => can === 'some')
    expect(impact).toMatchObject({ tasks: 8, doable: 5, why: expect.stringMatching(/^needs (the )?live Tetragon/) })
  })

  test('only the tasks that need a missing feature as impossible', () => {
    const [impact] = assessExercises(material.exercises, settings, live({ overrideSecurity: false })).filter(
      ({ can }) => can === 'some',
    )
    expect(impact).toMatchObject({ name: '08-refuse-or-kill', doable: 6 })
  })

  test('only what depends on the kernel as unknown before the kernel is probed', () => {
    expect(namesWith('unknown', notProbed)).toEqual(['08-refuse-or-kill'])
    expect(namesWith('all', notProbed)).toHaveLength(material.exercises.length - 1)
    const replaySettings = parseSettings({ tetragon: { source: 'replay' } })
    expect(namesWith('some', notProbed, replaySettings)).toEqual(['08-refuse-or-kill'])
  })

  test('an exercise as impossible with a wrong setting, whatever the kernel', () => {
    const needOtel = ['13-nothing-is-lost', '16-a-second-copy']
    expect(namesWith('none', live(), fluentBit)).toEqual(needOtel)
    expect(namesWith('none', notProbed, fluentBit)).toEqual(needOtel)
  })
})

describe('the row of the doctor', () => {
  const row = (kernel: Decision, of = settings): DoctorCheck => exerciseCheck(of, { kernel } as DoctorFacts, material)

  test('counts the complete exercises and those that depend on an unknown kernel', () => {
    expect(row(live())).toMatchObject({ level: 'ok', found: '4 of 4 can be completed here' })
    expect(row(notProbed)).toMatchObject({ level: 'ok', found: expect.stringContaining('1 need a live kernel') })
  })

  test('names the incomplete exercises and the reason', () => {
    expect(row(replay)).toMatchObject({
      level: 'warn',
      found: expect.stringMatching(/08-refuse-or-kill \(5 of 8 tasks\): needs (the )?live Tetragon/),
      next: './lab exercise list',
    })
  })

  test('gives the command for a wrong setting', () => {
    expect(row(live(), fluentBit)).toMatchObject({
      level: 'warn',
      found: expect.stringContaining('13-nothing-is-lost (0 of 1 tasks)'),
      next: './lab pulumi config set --path tetragon-lab:pipeline.shipper otel',
    })
  })
})

test('the impact of missing features lists tasks and policies, without policies in monitor mode', () => {
  expect(missingFeatureImpact([], material)).toBe('')
  expect(missingFeatureImpact(['override'], material)).toBe('')
  expect(missingFeatureImpact(['lsm'], material)).toBe('policy deny-shadow-lsm')
  expect(missingFeatureImpact(['overrideSecurity'], material)).toBe(
    '2 of 8 tasks of 08-refuse-or-kill, policies deny-shadow, deny-wget',
  )
  expect(missingFeatureImpact(['kprobes'], material)).toBe('policies deny-shadow, deny-wget, kill-wget and 2 more')
})
