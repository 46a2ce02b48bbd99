import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createExercise } from '../../../../scripts/exercise/definition/create-exercise.ts'
import { readExercise } from '../../../../scripts/exercise/definition/exercises.ts'
import { temporaryFolders } from '../../../fakes/exercise-session.ts'

it('a new exercise is valid and has the next number', () => {
  const { labs } = temporaryFolders()
  expect(createExercise('watch-a-shell', labs)).toBe('01-watch-a-shell')
  expect(createExercise('another', labs)).toBe('02-another')
  expect(readExercise('01-watch-a-shell', labs)).toMatchObject({ title: 'Watch a shell', tasks: [{ id: 'program' }] })
  expect(readFileSync(join(labs, '01-watch-a-shell', 'README.md'), 'utf8')).toMatch(/^# Watch a shell\n/)
})

it('a name that is in use or invalid is rejected', () => {
  const { labs } = temporaryFolders()
  createExercise('02-another', labs)
  expect(() => createExercise('02-another', labs)).toThrow(/labs\/02-another already exists/)
  expect(() => createExercise('Not a name', labs)).toThrow(/lower-case/)
})
