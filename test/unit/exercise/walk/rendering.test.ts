import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readExercises } from '../../../../scripts/exercise/definition/exercises.ts'
import { checkRendering } from '../../../../scripts/exercise/walk/rendering.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { temporaryFolders, writeExercise } from '../../../fakes/exercise-session.ts'

const exerciseWith = (readme: string) =>
  writeExercise(
    temporaryFolders(),
    '01-x',
    '  - { id: load, title: Load it, check: { kube: { get: pods } }, hints: [a], solve: "true" }',
    readme,
  )

describe('the rendering of a text', () => {
  it('fails when Markdown syntax is left', () => {
    const readme = '> **Task load**: a\n\nThis is **bold\n'
    expect(() => checkRendering(exerciseWith(readme))).toThrow(/Markdown syntax is left/)
  })

  it.each([
    ['a table', `> **Task load**: a\n\n${'| a '.repeat(3)}|\n| - | - | - |\n| 1 | 2 | 3 |\n`],
    ['a long command', `> **Task load**: ${'word '.repeat(60)}\n\n\`\`\`bash\n./lab ${'x'.repeat(100)}\n\`\`\`\n`],
  ])('passes with %s', (_, readme) => {
    expect(checkRendering(exerciseWith(readme))).toMatch(/^\d+ lines$/)
  })

  it('passes for every exercise of the lab', () => {
    for (const exercise of readExercises(join(projectDir, 'labs')))
      expect(() => checkRendering(exercise), exercise.name).not.toThrow()
  })
})
