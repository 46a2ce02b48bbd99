import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it, test } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'

// A recording is handed to everybody who has the lab. What the machine that it was made on kept to itself must not be in it.

const folder = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings')

/** What a secret looks like. */
const shapes: Record<string, RegExp> = {
  'a private key': /-----BEGIN [A-Z ]*PRIVATE KEY-----|client-key-data/,
  'a signed token': /\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}/,
  'a bearer token': /\bbearer +[\w.~+/-]{12,}/i,
  'a token to join a cluster': /\b[a-z0-9]{6}\.[a-z0-9]{16}\b/,
  'a key of a cloud': /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bgh[pousr]_\w{20,}|\bxox[abpr]-\w{10,}|\bAIza[\w-]{30,}/,
  'a hashed password': /\$(?:1|5|6|y|2[aby])\$[\w./$]{8,}/,
  // What redaction has put there is none.
  'a password in an argument':
    /(?<![\w-])--?(?:password|passwd|pass|token|secret|api-?key)(?:[= ]|\\?" *:? *\\?")(?!\*+)[^\s"\\-][^\s"\\]{2,}/i,
  'a password in an address': /\b[a-z]+:\/\/[^/\s:@"]+:[^/\s@"]+@/,
  'a password in a variable': /\b[A-Z_]*(?:PASSWORD|PASSWD|SECRET|API_KEY|ACCESS_KEY)=(?!\*+)[^\s"\\]{3,}/,
}

const contentOf = (file: string): string => {
  const bytes = readFileSync(file)
  return (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
}

const files = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .map(entry => join(entry.parentPath, entry.name))

describe('a recording holds no secret', () => {
  it('of which there are some files', () => {
    expect(files.map(file => file.split('/').at(-1))).toEqual(
      expect.arrayContaining(['tetragon.log.gz', 'transcript.txt']),
    )
  })

  test.each(files.map(file => [file.slice(folder.length + 1), file]))('%s', (_, file) => {
    const text = contentOf(file!)
    const found = Object.entries(shapes).flatMap(([name, shape]) => {
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
  ['a key of a cloud', 'AKIAIOSFODNN7EXAMPLE'],
  ['a hashed password', 'root:$6$saltsalt$abcdefghijkl:19000:0:99999:7:::'],
  ['a password in an argument', '"arguments":"--user ann --password geheim"'],
  ['a password in an argument', 'mysql --password=geheim'],
  ['a password in an address', 'postgres://ann:geheim@db/shop'],
  ['a password in a variable', 'env DB_PASSWORD=geheim server'],
])('%s would be found', (name, text) => {
  expect(text).toMatch(shapes[name]!)
})

test.each([
  '--password *****',
  'pod/redis-leader-6cc46676d8.abc',
  'http://frontend/',
  '-namespace k8s.io -id bc8ec005c5a1',
])('%s is none', text => {
  for (const [name, shape] of Object.entries(shapes)) expect(text, name).not.toMatch(shape)
})
