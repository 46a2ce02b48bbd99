import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { ensureCharts, requiredCharts } from '../../../scripts/supplies/charts.ts'
import { rememberedDigest } from '../../../scripts/supplies/remembered-digests.ts'
import { chartFile } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { newFolder } from '../support/folders.ts'
import { chartArchive, errorOf, lockWith, type Publisher, sha256, startPublisher } from '../support/publisher.ts'

let publisher: Publisher
let loki: Buffer

beforeAll(async () => {
  publisher = await startPublisher()
  loki = await chartArchive('loki', '18.11.0')
})
afterAll(() => publisher.stop())
beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
  publisher.asked.length = 0
  publisher.files.clear()
  publisher.files.set('/loki-18.11.0.tgz', loki)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const lokiLock = (entry: { sha256?: string; index?: string; url?: string; version?: string } = {}) =>
  lockWith({ charts: { loki: { version: '18.11.0', url: publisher.url('/loki-18.11.0.tgz'), ...entry } } })

test('the settings decide which shipper chart is required', () => {
  expect(requiredCharts(parseSettings({}))).not.toContain('fluent-bit')
  const charts = requiredCharts(parseSettings({ pipeline: { shipper: 'fluent-bit' } }))
  expect(charts).toContain('fluent-bit')
  expect(charts).not.toContain('opentelemetry-collector')
})

describe('a chart with a digest in the lock', () => {
  test('is downloaded once, to the path that the program reads', async () => {
    const lock = lokiLock({ sha256: sha256(loki) })
    const [first] = await ensureCharts(lock, ['loki'])
    expect(first).toMatchObject({ fetched: true, trust: 'pinned', file: chartFile(lock, 'loki') })
    expect(readFileSync(first!.file)).toEqual(loki)
    const [second] = await ensureCharts(lock, ['loki'])
    expect(second).toMatchObject({ fetched: false, trust: 'pinned' })
    expect(publisher.asked).toEqual(['/loki-18.11.0.tgz'])
  })

  test('is refused with another digest, and no file is left', async () => {
    const lock = lokiLock({ sha256: 'f'.repeat(64) })
    const error = await errorOf(ensureCharts(lock, ['loki']))
    expect(error.found).toBe(`The sha256 of chart loki 18.11.0 from ${publisher.host} is ${sha256(loki)}`)
    expect(error.expected).toContain('f'.repeat(64))
    expect(existsSync(chartFile(lock, 'loki'))).toBe(false)
  })

  test('is downloaded again when the stored copy is damaged', async () => {
    const lock = lokiLock({ sha256: sha256(loki) })
    writeFileSync(chartFile(lock, 'loki'), 'half a download')
    expect(await ensureCharts(lock, ['loki'])).toMatchObject([{ fetched: true }])
    expect(readFileSync(chartFile(lock, 'loki'))).toEqual(loki)
  })
})

describe('a chart without a digest in the lock', () => {
  const setIndex = (versions: Record<string, string>): string => {
    publisher.files.set('/index.yaml', indexOf({ loki: versions }))
    return publisher.url('/index.yaml')
  }

  test("must have the digest in the publisher's index", async () => {
    const index = setIndex({ '18.10.0': 'a'.repeat(64), '18.11.0': sha256(loki) })
    expect(await ensureCharts(lokiLock({ index }), ['loki'])).toMatchObject([{ trust: 'published' }])
    expect(rememberedDigest(publisher.url('/loki-18.11.0.tgz'))).toBe(sha256(loki))
  })

  test('is refused when the index lists another digest', async () => {
    const index = setIndex({ '18.11.0': 'b'.repeat(64) })
    expect((await errorOf(ensureCharts(lokiLock({ index }), ['loki']))).expected).toContain('b'.repeat(64))
  })

  test('is refused when the index does not list its version', async () => {
    const index = setIndex({ '18.10.0': 'b'.repeat(64) })
    const error = await errorOf(ensureCharts(lokiLock({ index }), ['loki']))
    expect(error.found).toBe(`The index ${index} does not list loki 18.11.0`)
  })

  test('is trusted at the first download, and must have the same digest from then on', async () => {
    const lock = lokiLock()
    expect(await ensureCharts(lock, ['loki'])).toMatchObject([{ trust: 'first seen', fetched: true }])
    publisher.files.set('/loki-18.11.0.tgz', Buffer.concat([loki, Buffer.from('more')]))
    expect(await ensureCharts(lock, ['loki'])).toMatchObject([{ trust: 'remembered', fetched: false }])
    writeFileSync(chartFile(lock, 'loki'), '')
    expect((await errorOf(ensureCharts(lock, ['loki']))).expected).toContain(sha256(loki))
  })
})

describe('the URL of a chart', () => {
  test('may be a file, and may name an environment variable', async () => {
    const folder = newFolder()
    mkdirSync(join(folder, 'charts'))
    writeFileSync(join(folder, 'charts/loki.tgz'), loki)
    const lock = lokiLock({ url: 'file://${LAB_TEST_FOLDER}/charts/loki.tgz' })
    const error = await errorOf(ensureCharts(lock, ['loki']))
    expect(error.found).toMatch(/^The environment variable LAB_TEST_FOLDER is not set/)
    process.env.LAB_TEST_FOLDER = folder
    try {
      expect(await ensureCharts(lock, ['loki'])).toMatchObject([{ fetched: true }])
    } finally {
      delete process.env.LAB_TEST_FOLDER
    }
  })

  test('may be a path relative to the lock', async () => {
    const lock = lokiLock({ url: 'charts/loki.tgz' })
    const file = join(lock.file, '..', 'charts/loki.tgz')
    const error = await errorOf(ensureCharts(lock, ['loki']))
    expect(error.found).toBe(`The file ${file} for chart loki 18.11.0 does not exist`)
    mkdirSync(join(lock.file, '../charts'))
    writeFileSync(file, loki)
    expect(await ensureCharts(lock, ['loki'])).toMatchObject([{ fetched: true }])
  })

  test('must lead to the chart and version in the lock', async () => {
    publisher.files.set('/loki-18.11.0.tgz', await chartArchive('loki', '7.3.0'))
    const error = await errorOf(ensureCharts(lokiLock(), ['loki']))
    expect(error.found).toBe('The archive contains chart loki 7.3.0')
    expect(error.expected).toMatch(/^chart loki 18\.11\.0/)
    publisher.files.set('/loki-18.11.0.tgz', 'a sign-in page')
    expect((await errorOf(ensureCharts(lokiLock(), ['loki']))).found).toBe('The archive contains no chart')
    expect(rememberedDigest(publisher.url('/loki-18.11.0.tgz'))).toBeUndefined()
  })
})

test('reports the bytes of each chart up to the total', async () => {
  const seen: [string, number, number | undefined][] = []
  await ensureCharts(lokiLock(), ['loki'], (name, done, total) => seen.push([name, done, total]))
  expect(seen.at(-1)).toEqual(['loki', loki.length, loki.length])
})

test('stores the digests of concurrent downloads', async () => {
  const grafana = await chartArchive('grafana', '12.11.1')
  publisher.files.set('/grafana.tgz', grafana)
  const lock = lockWith({
    charts: {
      loki: { version: '18.11.0', url: publisher.url('/loki-18.11.0.tgz') },
      grafana: { version: '12.11.1', url: publisher.url('/grafana.tgz') },
    },
  })
  await ensureCharts(lock, ['loki', 'grafana'])
  expect(rememberedDigest(publisher.url('/grafana.tgz'))).toBe(sha256(grafana))
  expect(rememberedDigest(publisher.url('/loki-18.11.0.tgz'))).toBe(sha256(loki))
})

const indexOf = (charts: Record<string, Record<string, string>>): string =>
  `apiVersion: v1\nentries:\n${Object.entries(charts)
    .map(
      ([name, versions]) =>
        `  ${name}:\n${Object.entries(versions)
          .map(
            ([version, digest]) =>
              `  - apiVersion: v2\n    digest: ${digest}\n    name: ${name}\n    version: ${version}\n`,
          )
          .join('')}`,
    )
    .join('')}generated: "2026-09-01T00:00:00Z"\n`
