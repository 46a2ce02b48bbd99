import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { followLines } from '../../../scripts/pulumi/run.ts'

// The engine's events hold secrets as they are: they are read while they are written, and nothing of them stays.

let dir: string
let file: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lab-events-'))
  file = join(dir, 'up.events')
  writeFileSync(file, '')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

test('every line arrives, also when it comes in pieces, and the file is gone with the first', async () => {
  const lines: string[] = []
  let done = false
  // As the engine opens it.
  const engine = await open(file, 'w')
  const following = followLines(
    file,
    () => done,
    line => lines.push(line),
  )
  expect(existsSync(file)).toBe(true)
  await engine.write('{"sequence":1}\n{"seq')
  await expect.poll(() => lines).toEqual(['{"sequence":1}'])
  expect(existsSync(file)).toBe(false)
  await engine.write('uence":2,"text":"grüße"}\n')
  await sleep(150)
  await engine.write('{"sequence":3}\n')
  done = true
  await following
  await engine.close()
  expect(lines).toEqual(['{"sequence":1}', '{"sequence":2,"text":"grüße"}', '{"sequence":3}'])
  expect(existsSync(file)).toBe(false)
})

test('where nothing was written, nothing is left either', async () => {
  await followLines(
    file,
    () => true,
    () => expect.unreachable(),
  )
  expect(existsSync(file)).toBe(false)
})

test('a line that cannot be read is an error, and nothing is left', async () => {
  writeFileSync(file, 'not JSON\n')
  const reading = followLines(
    file,
    () => true,
    line => JSON.parse(line),
  )
  await expect(reading).rejects.toThrow(/JSON/)
  expect(existsSync(file)).toBe(false)
})
