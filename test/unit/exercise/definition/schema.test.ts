import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { exerciseSchemaText } from '../../../../scripts/docs/exercise-schema.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { taskOf } from '../../../fakes/checks.ts'

describe('the schema of exercise.yaml', () => {
  it('docs/writing-exercises.md names every key of exercise.yaml', () => {
    const page = readFileSync(join(projectDir, 'docs', 'writing-exercises.md'), 'utf8')
    const keys = new Set<string>()
    const walk = (schema: unknown): void => {
      if (schema === null || typeof schema !== 'object') return
      for (const [key, child] of Object.entries(schema)) {
        if (key === 'properties') for (const name of Object.keys(child as object)) keys.add(name)
        walk(child)
      }
    }
    walk(JSON.parse(exerciseSchemaText()))
    expect(keys.size).toBeGreaterThan(60)
    expect([...keys].filter(key => !new RegExp(`\\b${key}\\b`).test(page))).toEqual([])
  })
})

describe('a recording in exercise.yaml', () => {
  it.each([{ after: { transcript: 'enforce' } }, { missing: 'x', before: { agent: 'a' }, after: { agent: 'b' } }])(
    'needs before and after, or missing alone: rejects %j',
    recorded => {
      expect(() => taskOf({ check: { kube: { get: 'pods' } }, recorded })).toThrow(/before and after, or missing alone/)
    },
  )
})
