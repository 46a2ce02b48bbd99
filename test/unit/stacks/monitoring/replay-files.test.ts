import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import {
  checkRecording,
  entryPoint,
  readProgram,
  readRecordingFiles,
} from '../../../../stacks/monitoring/replay-files.ts'

test('the program and the recording fit into one ConfigMap', () => {
  const program = Object.values(readProgram()).map(text => Buffer.byteLength(text))
  const recording = Object.values(readRecordingFiles()).map(base64 => Buffer.from(base64, 'base64').length)
  expect([...program, ...recording].reduce((sum, bytes) => sum + bytes)).toBeLessThan(1024 * 1024)
})

test('the program imports only Node and its own modules', () => {
  const program = readProgram()
  expect(Object.keys(program)).toContain(entryPoint)
  const imports = Object.values(program).flatMap(text =>
    [...text.matchAll(/\bfrom '([^']+)'/g)].map(match => match[1]!),
  )
  expect(imports.filter(name => !name.startsWith('node:') && program[name.replace('./', '')] === undefined)).toEqual([])
})

test('the lab’s recording can be played', () => {
  expect(() => checkRecording()).not.toThrow()
})

test('a missing recording is reported with the command that restores it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'recording-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  expect(() => checkRecording(folder)).toThrow(`git checkout ${folder}`)
})
