import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type Download, downloadSize, fetchVerified, knownDigest } from '../../../scripts/supplies/download.ts'
import { rememberedDigest } from '../../../scripts/supplies/remembered-digests.ts'
import { retryPolicy } from '../../../scripts/supplies/retry.ts'
import { newFolder } from '../support/folders.ts'
import { errorOf, type Publisher, sha256, startPublisher } from '../support/publisher.ts'

const content = 'the content of a file'
let publisher: Publisher
let to: string

beforeAll(async () => {
  retryPolicy.minTimeout = 1
  publisher = await startPublisher()
})
afterAll(() => publisher.stop())
beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
  to = join(newFolder(), 'file')
  publisher.asked.length = 0
  publisher.files.clear()
  publisher.files.set('/file', content)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const fetchFile = (options: Partial<Download> = {}) =>
  fetchVerified({ what: 'a file', url: new URL(publisher.url('/file')), to, ...options })

test('accepts the pinned digest, and stores nothing for it', async () => {
  expect(await fetchFile({ sha256: sha256(content) })).toBe('pinned')
  expect(readFileSync(to, 'utf8')).toBe(content)
  expect(rememberedDigest(publisher.url('/file'))).toBeUndefined()
})

test('refuses another digest than the pinned one, and leaves no file', async () => {
  const error = await errorOf(fetchFile({ sha256: 'f'.repeat(64) }))
  expect(error.found).toBe(`The sha256 of a file from ${publisher.host} is ${sha256(content)}`)
  expect(error.expected).toBe(`${'f'.repeat(64)}, the digest in the lock`)
  expect(existsSync(to)).toBe(false)
  expect(rememberedDigest(publisher.url('/file'))).toBeUndefined()
})

test('requires the digest that the publisher lists', async () => {
  const error = await errorOf(fetchFile({ published: async () => 'a'.repeat(64) }))
  expect(error.expected).toBe(`${'a'.repeat(64)}, the digest that the publisher lists`)
  expect(await fetchFile({ published: async () => sha256(content) })).toBe('published')
  expect(rememberedDigest(publisher.url('/file'))).toBe(sha256(content))
})

test('trusts the first download without a digest, and requires its digest from then on', async () => {
  expect(await fetchFile()).toBe('first seen')
  expect(statSync(join(process.env.LAB_DIR!, 'remembered.json')).mode & 0o777).toBe(0o600)
  expect(await fetchFile()).toBe('remembered')
  publisher.files.set('/file', `${content} changed`)
  const error = await errorOf(fetchFile())
  expect(error.expected).toBe(`${sha256(content)}, the digest of the first download`)
  expect(error.next).toContain('.lab/remembered.json')
})

test('does not retry a file that the server does not have', async () => {
  publisher.files.set('/file', 404)
  expect((await errorOf(fetchFile())).found).toBe(`${publisher.host} answered 404 for a file (/file)`)
  expect(publisher.asked).toHaveLength(1)
})

test.each([500, 503, 429, 408])('retries a server that answers %i', async status => {
  publisher.files.set('/file', status)
  expect((await errorOf(fetchFile())).next).toBe('try again in a few minutes')
  expect(publisher.asked).toHaveLength(1 + retryPolicy.retries)
})

test('names the host that cannot be reached', async () => {
  const error = await errorOf(fetchFile({ url: new URL('http://127.0.0.1:1/file') }))
  expect(error.found).toMatch(/^Cannot reach 127\.0\.0\.1:1 to download a file/)
})

test('does not move a file that fails its inspection', async () => {
  const inspect = () => Promise.reject(new Error('wrong content'))
  await expect(fetchFile({ inspect })).rejects.toThrow('wrong content')
  expect(existsSync(to)).toBe(false)
  expect(rememberedDigest(publisher.url('/file'))).toBeUndefined()
})

test('copies a file from a file URL, and names the one that is missing', async () => {
  const source = join(newFolder(), 'source')
  const url = pathToFileURL(source)
  expect((await errorOf(fetchFile({ url }))).found).toBe(`The file ${source} for a file does not exist`)
  writeFileSync(source, content)
  await fetchFile({ url })
  expect(readFileSync(to, 'utf8')).toBe(content)
})

test('counts bytes up to the total', async () => {
  const seen: (number | undefined)[][] = []
  await fetchFile({ onBytes: (...bytes) => seen.push(bytes) })
  expect(seen.at(-1)).toEqual([content.length, content.length])
})

test('finds the size without a download, or undefined', async () => {
  expect(await downloadSize(new URL(publisher.url('/file')))).toBe(content.length)
  expect(await downloadSize(new URL(publisher.url('/missing')))).toBeUndefined()
  expect(await downloadSize(pathToFileURL(join(newFolder(), 'missing')))).toBeUndefined()
})

test('prefers the pinned digest to the stored one', async () => {
  await fetchFile()
  const url = new URL(publisher.url('/file'))
  expect(knownDigest({ url })).toEqual({ digest: sha256(content), trust: 'remembered' })
  expect(knownDigest({ url, sha256: 'a'.repeat(64) })).toEqual({ digest: 'a'.repeat(64), trust: 'pinned' })
  expect(knownDigest({ url: new URL('https://example.org/') })).toBeUndefined()
})
