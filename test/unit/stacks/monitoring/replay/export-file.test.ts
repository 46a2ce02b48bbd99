import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { ExportFile } from '../../../../../stacks/monitoring/replay/export-file.ts'

let folder = ''
let path = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'export-file-'))
  path = join(folder, 'tetragon.log')
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(folder, { recursive: true })
})

test('rotates before it exceeds its limit and keeps the newest files', () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 })
  const file = new ExportFile({ path, maxBytes: 1000, maxBackups: 2, mode: 0o640 })
  for (let i = 0; i < 50; i++) {
    file.append([`{"line":${i},"fill":"${'x'.repeat(80)}"}`])
    vi.advanceTimersByTime(1)
  }
  file.close()
  const names = readdirSync(folder).sort()
  expect(names).toHaveLength(3)
  expect(names.at(-1)).toBe('tetragon.log')
  for (const name of names.slice(0, -1)) expect(name).toMatch(/^tetragon-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log$/)
  const kept = names.flatMap(name => {
    expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(1000)
    expect(statSync(join(folder, name)).mode & 0o777).toBe(0o640)
    const text = readFileSync(join(folder, name), 'utf8')
    expect(text.endsWith('\n')).toBe(true)
    return text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line).line as number)
  })
  expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 50 - kept.length + i))
})

test('appends to an existing file and restricts its permissions', () => {
  writeFileSync(path, '{"old":1}\n')
  const file = new ExportFile({ path })
  file.append(['{"new":1}'])
  file.close()
  expect(readFileSync(path, 'utf8')).toBe('{"old":1}\n{"new":1}\n')
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('measures lines in bytes, not in characters', () => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 })
  const file = new ExportFile({ path, maxBytes: 1000 })
  file.append(Array.from({ length: 5 }, () => '∑'.repeat(100)))
  file.close()
  expect(readdirSync(folder)).toHaveLength(2)
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(1000)
})
