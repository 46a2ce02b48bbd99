import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createEventLog, followLines, parseEvent } from '../../../scripts/pulumi/events.ts'

let folder: string
let file: string
let engine: FileHandle
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lab-events-'))
  file = join(folder, 'up.events')
  createEventLog(file)
  // As the engine opens it.
  engine = await open(file, 'w')
})
afterEach(async () => {
  await engine.close()
  rmSync(folder, { recursive: true, force: true })
})

describe('createEventLog', () => {
  it('creates a file that only its owner can read', () => {
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })
})

describe('followLines', () => {
  it('passes on every line once, whole, and deletes the file with the first', async () => {
    const lines: string[] = []
    let ended = false
    const following = followLines(
      file,
      () => ended,
      line => lines.push(line),
    )
    expect(existsSync(file)).toBe(true)
    await engine.write('{"sequence":1}\n{"seq')
    await expect.poll(() => lines).toEqual(['{"sequence":1}'])
    expect(existsSync(file)).toBe(false)
    await engine.write('uence":2,"text":"grü')
    await engine.write('ße"}\n')
    await expect.poll(() => lines).toHaveLength(2)
    await engine.write('{"sequence":3}\n')
    ended = true
    await following
    expect(lines).toEqual(['{"sequence":1}', '{"sequence":2,"text":"grüße"}', '{"sequence":3}'])
    expect(existsSync(file)).toBe(false)
  })

  it('deletes a file that stays empty', async () => {
    await followLines(
      file,
      () => true,
      () => expect.unreachable(),
    )
    expect(existsSync(file)).toBe(false)
  })

  it('deletes the file when a line cannot be handled', async () => {
    await engine.write('not JSON\n')
    const following = followLines(
      file,
      () => true,
      line => JSON.parse(line),
    )
    await expect(following).rejects.toThrow(/JSON/)
    expect(existsSync(file)).toBe(false)
  })
})

describe('parseEvent', () => {
  it('returns undefined for a truncated line', () => {
    expect(parseEvent('{"sequence":1}')).toEqual({ sequence: 1 })
    expect(parseEvent('{"sequence":')).toBeUndefined()
  })
})
