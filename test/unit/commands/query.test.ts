import { expect, test } from 'vitest'
import { sampleTable } from '../../../scripts/commands/query.ts'

const sample = (labels: Record<string, string>, value: number) => ({ labels, value })
const widest = (table: string): number => Math.max(...table.split('\n').map(line => line.length))

test('a table of series has a column for each label, and the highest value first', () => {
  const table = sampleTable([sample({ pod: 'a' }, 1), sample({ pod: 'b', type: 'exec' }, 2)])
  expect(table.indexOf(' b ')).toBeLessThan(table.indexOf(' a '))
  expect(table).toMatch(/pod.*type.*value/)
})

test('a table of series shortens a long value, and keeps an exec id whole', () => {
  const execId = 'bGFiLWNvbnRyb2wtcGxhbmU6MTIzNDU2Nzg5MDEyMzQ1NjoxMjM0NTY3'
  const table = sampleTable([sample({ process_arguments: `-c ${'x'.repeat(700)}`, process_exec_id: execId }, 1)])
  expect(widest(table)).toBeLessThan(180)
  expect(table).toContain('xxx…')
  expect(table).toContain(execId)
})
