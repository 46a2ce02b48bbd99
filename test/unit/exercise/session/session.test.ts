import { expect, it } from 'vitest'
import { startExercise } from '../../../../scripts/exercise/session/prepare.ts'
import { currentExercise, progressOf } from '../../../../scripts/exercise/session/session.ts'
import { sessionOf, temporaryFolders, writeExercise } from '../../../fakes/exercise-session.ts'

const task = '  - { id: one, title: Do it, check: { kube: { get: pods } }, hints: [x], solve: "true" }'

it('the current exercise is the one that was started last', async () => {
  const folders = temporaryFolders()
  expect(() => currentExercise(undefined, folders)).toThrow(/You have not started an exercise/)
  for (const name of ['01-first', '02-second'])
    await startExercise(sessionOf(writeExercise(folders, name, task, '> **Task one**: do it'), folders))
  expect(currentExercise(undefined, folders).exercise.name).toBe('02-second')
  expect(currentExercise('first', folders).exercise.name).toBe('01-first')
})

it('an exercise that was not started has no progress', () => {
  const folders = temporaryFolders()
  const exercise = writeExercise(folders, '01-first', task, '> **Task one**: do it')
  expect(() => progressOf({ exercise, folders })).toThrow(/You have not started 01-first/)
})
