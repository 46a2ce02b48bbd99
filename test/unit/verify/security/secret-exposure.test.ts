import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import {
  filesWithSecret,
  labSecrets,
  processesWithSecret,
  verifySecretFiles,
} from '../../../../scripts/verify/security/secret-exposure.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'
import { newFolder } from '../../support/folders.ts'

let dir: string
beforeEach(() => {
  dir = newFolder()
  vi.stubEnv('LAB_DIR', dir)
  mkdirSync(join(dir, 'logs'))
  mkdirSync(join(dir, 'tools'))
  const key = Buffer.from('-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\n')
  writeFileSync(join(dir, 'passphrase'), 'correct-horse\n', { mode: 0o600 })
  const kubeconfig = { users: [{ user: { 'client-key-data': key.toString('base64') } }] }
  writeFileSync(join(dir, 'kubeconfig'), JSON.stringify(kubeconfig), { mode: 0o644 })
})
afterEach(() => {
  vi.unstubAllEnvs()
})

it('includes every secret that the lab has made, but not a password that the user chose', () => {
  expect(labSecrets(parseSettings({})).map(({ file }) => file)).toEqual([
    'grafana-password',
    'passphrase',
    'kubeconfig',
  ])
  const chosen = labSecrets(parseSettings({ grafana: { password: 'admin' } }))
  expect(chosen.map(({ file }) => file)).toEqual(['passphrase', 'kubeconfig'])
})

it('finds a secret in other files, also as base64 and as part of a sign-in, but not in downloads', () => {
  const [password, passphrase, key] = labSecrets(parseSettings({}))
  expect(filesWithSecret(password!)).toEqual([])
  const text = readFileSync(join(dir, 'grafana-password'), 'utf8').trim()
  writeFileSync(join(dir, 'logs', 'up.log'), `created grafana with ${text}\n`)
  writeFileSync(join(dir, 'logs', 'request.log'), Buffer.from(`admin:${text}`).toString('base64'))
  // Pulumi's state is in a hidden folder.
  mkdirSync(join(dir, 'state', '.pulumi'), { recursive: true })
  const state = join('state', '.pulumi', 'dev.json')
  writeFileSync(join(dir, state), JSON.stringify({ data: Buffer.from(text).toString('base64') }))
  writeFileSync(join(dir, 'tools', 'kind'), text)
  expect(filesWithSecret(password!).sort()).toEqual(['logs/request.log', 'logs/up.log', state])
  expect(filesWithSecret(passphrase!)).toEqual([])
  writeFileSync(join(dir, 'logs', 'kind.log'), 'MIIEpAIBAAKCAQEA')
  expect(filesWithSecret(key!)).toEqual(['logs/kind.log'])
})

it.runIf(process.platform === 'linux')('finds a secret in the arguments and the environment of a process', async () => {
  const secrets = labSecrets(parseSettings({}))
  const { texts } = secrets[0]!
  expect(processesWithSecret(secrets)).toEqual([])
  const careless = [
    spawn('sleep', ['30'], { env: { PATH: process.env.PATH, PASSWORD: texts[0] } }),
    spawn('sleep', ['30'], { argv0: texts[0] }),
  ]
  try {
    await expect
      .poll(() => processesWithSecret(secrets).sort())
      .toEqual([
        expect.stringMatching(/^the password of Grafana in the cmdline of process \d+$/),
        expect.stringMatching(/^the password of Grafana in the environ of process \d+$/),
      ])
  } finally {
    for (const process of careless) process.kill('SIGKILL')
  }
})

it('fails for a file with a secret that others can read', () => {
  labSecrets(parseSettings({}))
  const file = join(dir, 'grafana-password')
  expect(readFileSync(file, 'utf8').trim()).toMatch(/^[\w-]{24}$/)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(verifySecretFiles(parseSettings({}))).toMatchObject([
    { title: '.lab/passphrase', result: 'ok' },
    { title: '.lab/kubeconfig', result: 'fail', found: 'mode 644', next: `chmod 600 ${join(dir, 'kubeconfig')}` },
    { title: '.lab/grafana-password', result: 'ok', found: 'mode 600' },
  ])
})
