import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { describe, expect, it, test } from 'vitest'
import { projectDir } from '../../../../../shared/paths.ts'

// Everyone who has the lab has the recordings, so they must not contain secrets of the machine on which they were made.

const folder = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings')

/** Patterns of secrets. */
const secretPatterns: Record<string, RegExp> = {
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----|client-key-data/,
  'a signed token': /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/,
  'a bearer token': /\bbearer +[\w.~+/-]{12,}/i,
  'a token to join a cluster': /\b[a-z0-9]{6}\.[a-z0-9]{16}\b/,
  'a cloud access key': /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}|\bxox[abpr]-\w{10,}|\bAIza[\w-]{30,}/,
  'a hashed password': /\$(?:1|5|6|y|2[aby])\$[\w./$]{8,}/,
  // Asterisks are redacted values.
  'a password in an argument':
    /(?<![\w-])--?(?:password|passwd|pass|token|secret|api-?key)(?:[= ]|\\?" *:? *\\?")(?!\*+)[^\s"\\-][^\s"\\]{2,}/i,
  'a password in a URL': /\b[a-z]+:\/\/[^/\s:@"]+:[^/\s@"]+@/,
  'a password in a variable': /\b[A-Z_]*(?:PASSWORD|PASSWD|SECRET|API_KEY|ACCESS_KEY)=(?!\*+)[^\s"\\]{3,}/,
}

const contentOf = (file: string): string => {
  const bytes = readFileSync(file)
  return (file.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes).toString('utf8')
}

const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(entry => join(entry.parentPath, entry.name))

describe('a recording contains no secret:', () => {
  it('the test finds the recorded files', () => {
    expect(files.map(file => file.split('/').at(-1))).toEqual(
      expect.arrayContaining(['tetragon.log.zst', 'transcript.txt']),
    )
  })

  test.each(files.map(file => [file.slice(folder.length + 1), file]))('%s', (_, file) => {
    const text = contentOf(file!)
    const found = Object.entries(secretPatterns).flatMap(([name, shape]) => {
      const match = shape.exec(text)
      return match ? [`${name}: ${match[0].slice(0, 40)}`] : []
    })
    expect(found).toEqual([])
  })
})

test.each([
  ['a private key', '-----BEGIN RSA PRIVATE KEY-----'],
  ['a signed token', '"token":"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJrdWJlcm5ldGVzIn0.c2lnbmF0dXJl"'],
  ['a bearer token', 'curl -H "Authorization: Bearer abcdefghijkl1234"'],
  ['a token to join a cluster', 'kubeadm join 10.0.2.15:6443 --token abcdef.0123456789abcdef'],
  ['a cloud access key', 'AKIAIOSFODNN7EXAMPLE'],
  ['a hashed password', 'root:$6$saltsalt$abcdefghijkl:19000:0:99999:7:::'],
  ['a password in an argument', '"arguments":"--user ann --password geheim"'],
  ['a password in an argument', 'mysql --password=geheim'],
  ['a password in a URL', 'postgres://ann:geheim@db/shop'],
  ['a password in a variable', 'env DB_PASSWORD=geheim server'],
])('%s is recognized', (name, text) => {
  expect(text).toMatch(secretPatterns[name]!)
})

test.each([
  '--password *****',
  'pod/redis-leader-6cc46676d8.abc',
  'http://frontend/',
  '-namespace k8s.io -id bc8ec005c5a1',
])('%s is not a secret', text => {
  for (const [name, shape] of Object.entries(secretPatterns)) expect(text, name).not.toMatch(shape)
})
