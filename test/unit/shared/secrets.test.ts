import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { labPath } from '../../../shared/paths.ts'
import { storedSecret } from '../../../shared/secrets.ts'
import { newFolder } from '../support/folders.ts'

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
})
afterEach(() => {
  vi.unstubAllEnvs()
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
