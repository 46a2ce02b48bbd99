import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { labPath } from '../../../shared/paths.ts'
import { storedSecret } from '../../../shared/secrets.ts'

const { LAB_DIR } = process.env
beforeEach(() => {
  process.env.LAB_DIR = mkdtempSync(join(tmpdir(), 'lab-'))
})
afterEach(() => {
  rmSync(process.env.LAB_DIR!, { recursive: true, force: true })
  if (LAB_DIR === undefined) delete process.env.LAB_DIR
  else process.env.LAB_DIR = LAB_DIR
})

it('is created once, in a file that only its owner can read', () => {
  const secret = storedSecret('passphrase')
  expect(secret).toMatch(/^[\w-]{24}$/)
  expect(storedSecret('passphrase')).toBe(secret)
  expect(readFileSync(labPath('passphrase'), 'utf8')).toBe(`${secret}\n`)
  expect(statSync(labPath('passphrase')).mode & 0o777).toBe(0o600)
})

it.each(['', ' \n'])('is created again, once, when its file says %j', content => {
  writeFileSync(labPath('passphrase'), content)
  const secret = storedSecret('passphrase')
  expect(secret).toMatch(/^[\w-]{24}$/)
  expect(storedSecret('passphrase')).toBe(secret)
})
