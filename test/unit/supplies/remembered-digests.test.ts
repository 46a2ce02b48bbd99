import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { rememberDigests, rememberedDigest } from '../../../scripts/supplies/remembered-digests.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { labPath } from '../../../shared/paths.ts'
import { newFolder } from '../support/folders.ts'
import { truncatedFiles } from '../support/truncated-files.ts'

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
})
afterEach(() => {
  vi.unstubAllEnvs()
})

it('returns a digest that was stored, and undefined for any other key', async () => {
  await rememberDigests({ 'https://x/loki.tgz': 'a' })
  expect(rememberedDigest('https://x/loki.tgz')).toBe('a')
  expect(rememberedDigest('https://x/grafana.tgz')).toBeUndefined()
})

it('keeps every digest when several are stored at the same time', async () => {
  const keys = Array.from({ length: 10 }, (_, index) => `https://x/${index}`)
  await Promise.all(keys.map(key => rememberDigests({ [key]: key })))
  expect(keys.map(rememberedDigest)).toEqual(keys)
})

it('stores them in a file that only its owner can read', async () => {
  await rememberDigests({ x: 'y' })
  expect(statSync(labPath('remembered.json')).mode & 0o777).toBe(0o600)
})

it.each(truncatedFiles)('neither trusts nor overwrites a file that says %j', async content => {
  writeFileSync(labPath('remembered.json'), content)
  expect(() => rememberedDigest('x')).toThrow(LabError)
  await expect(rememberDigests({ x: 'y' })).rejects.toMatchObject({
    next: expect.stringMatching(/^rm \S+remembered\.json/),
  })
  expect(readFileSync(labPath('remembered.json'), 'utf8')).toBe(content)
})
