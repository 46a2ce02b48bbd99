import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { passphraseFits, removeSalt } from '../../../scripts/pulumi/salt.ts'

// The pinned Pulumi wrote this salt, with the passphrase x.
const salt = 'v1:2r4DnGOZc2g=:v1:rnz52nM10+eYcftI:z/JeLSY1bUKuPPJlgJLYheu3traoNg=='

let file: string
beforeEach(() => {
  file = join(mkdtempSync(join(tmpdir(), 'lab-salt-')), 'Pulumi.dev.yaml')
})
afterEach(() => rmSync(join(file, '..'), { recursive: true }))

it('fits only the passphrase that Pulumi used, and none when it is damaged', () => {
  expect(passphraseFits('x', salt)).toBe(true)
  expect(passphraseFits('y', salt)).toBe(false)
  expect(passphraseFits('x', salt.slice(0, -8))).toBe(false)
})

it('is removed, and the settings beside it are kept as they were formatted', () => {
  const settings =
    '# mine\nconfig:\n  # busier\n  tetragon-lab:traffic: {rate: 20}\n  tetragon-lab:policies:\n    apply: [a, "b"]\n'
  for (const text of [`encryptionsalt: ${salt}\n${settings}`, `${settings}encryptionsalt: ${salt}\n`]) {
    writeFileSync(file, text)
    removeSalt(file)
    expect(readFileSync(file, 'utf8')).toBe(settings)
  }
})

it('leaves a valid settings file when it was all that the file held', () => {
  writeFileSync(file, `encryptionsalt: ${salt}\n`)
  removeSalt(file)
  expect(readFileSync(file, 'utf8')).toBe('config: {}\n')
})

it('leaves a file that is not YAML as it is', () => {
  writeFileSync(file, 'encryptionsalt: [\n')
  removeSalt(file)
  expect(readFileSync(file, 'utf8')).toBe('encryptionsalt: [\n')
})
