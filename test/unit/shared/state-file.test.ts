import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { readStateFile, writeStateFile } from '../../../shared/state-file.ts'
import { newFolder } from '../support/folders.ts'

// test/unit/damaged-state.test.ts checks how the lab recovers from each damaged file.

const schema = z.object({ name: z.string() })

it('reads back what it wrote, with mode 0600 and without a temporary file', () => {
  const folder = newFolder()
  const file = join(folder, 'cluster.json')
  writeStateFile(file, { name: 'lab' })
  expect(readStateFile(file, schema)).toEqual({ name: 'lab' })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['cluster.json'])
})

it.each(['', '{"name": "la', 'null', '{"name": 1}'])('returns undefined for a file that contains %j', content => {
  const file = join(newFolder(), 'cluster.json')
  writeFileSync(file, content)
  expect(readStateFile(file, schema)).toBeUndefined()
  expect(readFileSync(file, 'utf8')).toBe(content)
})
