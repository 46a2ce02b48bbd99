import { writeFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import {
  addWorkedTime,
  type ExerciseProgress,
  newProgress,
  readProgress,
  updateProgress,
} from '../../../../scripts/exercise/session/progress.ts'
import { LabError } from '../../../../shared/lab-error.ts'
import { temporaryFolders } from '../../../fakes/exercise-session.ts'

it('updates at the same time do not overwrite each other', async () => {
  const { progress: file } = temporaryFolders()
  await updateProgress(file, all => {
    all.exercises['01-x'] = newProgress()
  })
  await Promise.all(
    Array.from({ length: 6 }, () =>
      updateProgress(file, ({ exercises }) => {
        exercises['01-x']!.resets++
      }),
    ),
  )
  expect(readProgress(file).exercises['01-x']!.resets).toBe(6)
})

it('a damaged file is an error, and is not overwritten', async () => {
  const { progress: file } = temporaryFolders()
  writeFileSync(file, '{"version": 7}')
  expect(() => readProgress(file)).toThrow(LabError)
  await expect(updateProgress(file, () => {})).rejects.toThrow(LabError)
})

it('worked time leaves out pauses of more than 30 minutes, and ends when the exercise is finished', () => {
  const exercise: ExerciseProgress = newProgress()
  for (const time of ['10:00', '10:05', '10:29', '12:00', '12:01'])
    addWorkedTime(exercise, new Date(`2026-11-21T${time}:00Z`))
  expect(exercise.workedSeconds).toBe(30 * 60)
  exercise.finishedAt = '2026-11-21T12:01:00Z'
  addWorkedTime(exercise, new Date('2026-11-21T12:05:00Z'))
  expect(exercise.workedSeconds).toBe(30 * 60)
})
