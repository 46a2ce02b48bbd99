import { expect, it } from 'vitest'
import { readExercises } from '../../../../scripts/exercise/definition/exercises.ts'
import { newProgress } from '../../../../scripts/exercise/session/progress.ts'
import { progressReport } from '../../../../scripts/exercise/view/progress-report.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'
import { replayCapabilities } from '../../../fakes/exercise-session.ts'

const at = '2026-11-21T12:00:00Z'

it('has a row for each exercise, and its tasks with their answers only when full', () => {
  const [exercise] = readExercises()
  const answer = { value: 'a | b', at }
  const tasks = { [exercise!.tasks[0]!.id]: { tries: 0, hints: 1, answer } }
  const progress = {
    version: 1 as const,
    exercises: { [exercise!.name]: { ...newProgress(), workedSeconds: 0, tasks } },
  }
  const ada = { ...replayCapabilities, settings: parseSettings({ class: { student: 'Ada' } }) }
  const page = progressReport(progress, ada, { now: new Date(at) })
  expect(page).toContain('**Name:** Ada')
  expect(page).toContain('2026-11-21 12:00 UTC')
  expect(page).toMatch(new RegExp(`^\\| 00 ${exercise!.title} \\| 0/\\d+ \\| 0 \\| 1 \\|  \\| 0 \\| no \\|$`, 'm'))
  expect(page).not.toContain('a \\| b')
  expect(progressReport(progress, ada, { full: true })).toContain('`a \\| b`')
})

it('says so when no exercise was started', () => {
  expect(progressReport({ version: 1, exercises: {} }, replayCapabilities)).toContain(
    'You have not started an exercise.',
  )
})

it('fits on one page for a student who has done everything', () => {
  const exercises = Object.fromEntries(
    readExercises().map(({ name, tasks }) => {
      const passed = Object.fromEntries(tasks.map(({ id }) => [id, { tries: 2, hints: 1, passedAt: at }]))
      return [name, { ...newProgress(), finishedAt: at, workedSeconds: 700, tasks: passed }]
    }),
  )
  const lines = progressReport({ version: 1, exercises }, replayCapabilities).split('\n')
  expect(lines.length).toBeLessThan(60)
  expect(lines.filter(line => /\| 12 \| 2026-11-21 12:00 \|$/.test(line))).toHaveLength(readExercises().length)
})
