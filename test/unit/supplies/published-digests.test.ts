import { expect, test } from 'vitest'
import { digestInChecksums, digestInIndex } from '../../../scripts/supplies/published-digests.ts'

const [one, two] = ['1'.repeat(64), 'ABCDEF01'.repeat(8)]

test.each([
  ['several files', `${one}  a.tar.gz\n${two}  b.tar.gz\n`, 'b.tar.gz', two.toLowerCase()],
  ['the mark for binary mode, and Windows line breaks', `${one} *a.tar.gz\r\n`, 'a.tar.gz', one],
  ['a folder before the name', `${one}  ./pulumi/a.tar.gz\n`, 'a.tar.gz', one],
  ['a single digest without a name', `${one}\n`, 'anything', one],
])('reads a checksum file with %s', (_, text, name, digest) => expect(digestInChecksums(text, name)).toBe(digest))

test.each([
  ['several digests without names', `${one}\n${two}\n`, 'anything'],
  ['only a name that ends in the same way', `${one}  aa.tar.gz\n`, 'a.tar.gz'],
  ['no digest', '<html>not found</html>', 'a.tar.gz'],
])('finds nothing in a checksum file with %s', (_, text, name) => expect(digestInChecksums(text, name)).toBeUndefined())

test('reads an index with dependencies, other charts and quoted versions', () => {
  const index = `apiVersion: v1
entries:
  grafana:
  - apiVersion: v2
    digest: ${'1'.repeat(64)}
    version: 1.2.3
  loki:
  - annotations:
      category: logs
    dependencies:
    - name: minio
      version: 1.2.3
    digest: ${'2'.repeat(64)}
    urls:
    - https://example.org/loki-1.2.30.tgz
    version: 1.2.30
  - apiVersion: v2
    digest: sha256:${'3'.repeat(64)}
    name: loki
    version: "1.2.3"
  loki-stack:
  - digest: ${'4'.repeat(64)}
    version: 1.2.3
generated: "2026-09-01T00:00:00Z"
`
  expect(digestInIndex(index, 'loki', '1.2.3')).toBe('3'.repeat(64))
  expect(digestInIndex(index, 'loki', '1.2.30')).toBe('2'.repeat(64))
  expect(digestInIndex(index, 'loki-stack', '1.2.3')).toBe('4'.repeat(64))
  expect(digestInIndex(index, 'loki', '1.2.4')).toBeUndefined()
  expect(digestInIndex(index, 'tempo', '1.2.3')).toBeUndefined()
})
