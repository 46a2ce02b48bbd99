import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { create } from 'tar'
import { beforeEach, describe, expect, test } from 'vitest'
import { bundleFormat, checksumLines, type Manifest } from '../../../scripts/bundle/manifest.ts'
import { openBundle, readVerified } from '../../../scripts/bundle/open.ts'
import { readTarIndex } from '../../../scripts/bundle/tar.ts'
import { entry, tarBytes, withManifest } from '../support/bundles.ts'
import { newFolder } from '../support/folders.ts'
import { errorOf, sha256 } from '../support/publisher.ts'

const contents = { 'images/empty': '', 'packages/x.tar.gz': 'p'.repeat(3000), 'charts/loki.tgz': 'c'.repeat(20_000) }
const members = Object.fromEntries(
  Object.entries(contents).map(([path, content]) => [path, { size: content.length, sha256: sha256(content) }]),
)
const manifest: Manifest = {
  bundle: bundleFormat,
  lab: '1.0.0',
  created: '2026-01-01T00:00:00Z',
  platforms: ['linux/amd64'],
  pins: {},
  packages: 'packages/x.tar.gz',
  tools: [],
  charts: [{ name: 'loki', version: '18.11.0', path: 'charts/loki.tgz' }],
  images: [],
  unpacked: {},
  members,
}

let file: string
beforeEach(async () => {
  file = join(newFolder(), 'lab.bundle')
  const manifestText = JSON.stringify(manifest)
  const checksums = checksumLines({ 'manifest.json': { sha256: sha256(manifestText) }, ...members })
  writeFileSync(
    file,
    await tarBytes([
      entry('manifest.json', manifestText),
      entry('SHA256SUMS', checksums),
      ...Object.entries(contents).map(([path, content]) => entry(path, content)),
    ]),
  )
})

test('reads the manifest and every member', async () => {
  const bundle = await openBundle(file)
  expect(bundle.manifest).toEqual(manifest)
  expect(bundle.size).toBe(readFileSync(file).length)
  for (const [path, content] of Object.entries(contents)) expect(await text(readVerified(bundle, path))).toBe(content)
})

describe('refuses', () => {
  test('a missing file', async () => {
    const missing = join(newFolder(), 'none')
    expect((await errorOf(openBundle(missing))).found).toBe(`There is no bundle at ${missing}`)
  })

  test('an empty file', async () => {
    writeFileSync(file, '')
    expect((await errorOf(openBundle(file))).found).toBe(`The bundle ${file} is cut off after 0 bytes`)
  })

  test('a file that is not an archive', async () => {
    writeFileSync(file, 'a picture that is larger than one block of tar'.repeat(50))
    expect((await errorOf(openBundle(file))).found).toBe(`${file} is not a bundle`)
  })

  test('another archive', async () => {
    await create({ cwd: newFolder(), file }, ['.'])
    expect((await errorOf(openBundle(file))).found).toBe(`${file} is not a bundle`)
  })

  test.each([1, 512, 3000, 0.5, 0.9])('a bundle that is cut off at %d', async at => {
    truncateSync(file, at < 1 ? Math.floor(readFileSync(file).length * at) : at)
    const error = await errorOf(openBundle(file))
    expect(error.found).toMatch(/ is cut off after \d+ bytes$/)
    expect(error.next).toContain('rsync')
  })

  test('a manifest that does not match its checksum', async () => {
    const bytes = readFileSync(file)
    bytes[600]! ^= 1
    writeFileSync(file, bytes)
    expect((await errorOf(openBundle(file))).found).toBe(`The bundle ${file} is damaged: manifest.json has changed`)
  })

  test('a manifest that does not list a member', async () => {
    const other = await withManifest(file, ({ members: { 'charts/loki.tgz': _, ...rest }, ...manifest }) => ({
      ...manifest,
      members: rest,
    }))
    expect((await errorOf(openBundle(other))).found).toContain('is damaged: manifest.json')
  })

  test('a bundle of a later format', async () => {
    const later = await withManifest(file, manifest => ({ ...manifest, bundle: 2, lab: '9.0.0', later: true }))
    expect((await errorOf(openBundle(later))).found).toBe(
      `The bundle ${later} has format 2, created by version 9.0.0 of the lab`,
    )
  })

  test('a changed member, when it is read', async () => {
    const { offset } = (await readTarIndex(file))!.members.get('charts/loki.tgz')!
    const bytes = readFileSync(file)
    bytes[offset]! ^= 1
    writeFileSync(file, bytes)
    const bundle = await openBundle(file)
    expect((await errorOf(text(readVerified(bundle, 'charts/loki.tgz')))).found).toBe(
      `The bundle ${file} is damaged: charts/loki.tgz has changed`,
    )
  })
})
