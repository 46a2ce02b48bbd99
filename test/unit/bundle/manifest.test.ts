import { expect, test } from 'vitest'
import {
  bundleFormat,
  checksumLines,
  differingPins,
  imagePaths,
  type Manifest,
  parseManifest,
  pinsOf,
  sizeOfMembers,
} from '../../../scripts/bundle/manifest.ts'
import { lockWith } from '../support/publisher.ts'

const member = { size: 10, sha256: 'a'.repeat(64) }
const manifest: Manifest = {
  bundle: bundleFormat,
  lab: '1.0.0',
  created: '2026-01-01T00:00:00Z',
  platforms: ['linux/amd64'],
  pins: {},
  packages: 'packages/x.tar.gz',
  tools: [{ name: 'kind', version: '1.2.3', platform: 'linux/amd64', path: 'tools/kind' }],
  charts: [{ name: 'loki', version: '1.2.3', path: 'charts/loki.tgz' }],
  images: [{ ref: 'a/b:1', platform: 'linux/amd64', config: 'images/b.json', layers: ['layers/1', 'layers/1'] }],
  unpacked: { 'layers/1': 20 },
  members: {
    'packages/x.tar.gz': member,
    'tools/kind': member,
    'charts/loki.tgz': member,
    'images/b.json': member,
    'layers/1': member,
  },
}
const parseChanged = (changes: object) => parseManifest(JSON.stringify({ ...manifest, ...changes }))
const membersWithout = (path: string) =>
  Object.fromEntries(Object.entries(manifest.members).filter(([name]) => name !== path))

test('reads what it wrote', () => expect(parseChanged({})).toEqual(manifest))

test.each(Object.keys(manifest.members))('rejects a manifest that does not list its member %s', path =>
  expect(parseChanged({ members: membersWithout(path) })).toBeUndefined(),
)

test('rejects a manifest without the unpacked size of a layer', () =>
  expect(parseChanged({ unpacked: {} })).toBeUndefined())

test('rejects text that is not a manifest', () => {
  expect(parseManifest('not JSON')).toBeUndefined()
  expect(parseManifest('{"bundle": 1}')).toBeUndefined()
})

test('returns the format and version of a manifest in another format', () => {
  expect(parseChanged({ bundle: 2, lab: '9.0.0', later: true })).toEqual({ bundle: 2, lab: '9.0.0' })
})

test('counts a layer once that an image has twice', () => {
  expect(imagePaths(manifest.images[0]!)).toEqual(['images/b.json', 'layers/1'])
  expect(sizeOfMembers(manifest, imagePaths(manifest.images[0]!))).toBe(20)
})

test('writes checksums as sha256sum does', () => expect(checksumLines({ a: member })).toBe(`${'a'.repeat(64)}  a\n`))

test('names the pins that differ, and ignores URLs', () => {
  const lock = lockWith({})
  const moved = { ...lock, charts: { ...lock.charts, loki: { ...lock.charts.loki, url: 'https://mirror/loki.tgz' } } }
  expect(differingPins(pinsOf(lock), pinsOf(moved))).toEqual([])
  const newer = { ...lock, charts: { ...lock.charts, loki: { ...lock.charts.loki, version: '99.0.0' } } }
  expect(differingPins(pinsOf(lock), pinsOf(newer))).toEqual(['charts.loki'])
})
