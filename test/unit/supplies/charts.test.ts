import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ensureCharts } from '../../../scripts/supplies/charts.ts'
import { digestInIndex } from '../../../scripts/supplies/published-digests.ts'
import { remembered } from '../../../scripts/supplies/remembered-digests.ts'
import { retryPolicy } from '../../../scripts/supplies/retry.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { chartFile } from '../../../shared/lock.ts'
import { chartArchive, lockWith, newFolder, type Publisher, sha256, startPublisher } from '../support/publisher.ts'

let publisher: Publisher
let loki: Buffer

beforeEach(async () => {
  process.env.LAB_DIR = newFolder()
  retryPolicy.minTimeout = 1
  publisher = await startPublisher()
  loki = await chartArchive('loki', '18.11.0')
  publisher.files.set('/loki-18.11.0.tgz', loki)
})
afterEach(async () => {
  delete process.env.LAB_DIR
  await publisher.stop()
})

const lokiLock = (entry: { sha256?: string; index?: string; url?: string; version?: string } = {}) =>
  lockWith({ charts: { loki: { version: '18.11.0', url: publisher.url('/loki-18.11.0.tgz'), ...entry } } })

async function problem(run: Promise<unknown>): Promise<LabError> {
  const error = await run.then(
    () => expect.unreachable('it should have failed'),
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(LabError)
  return error as LabError
}

describe('a chart with a digest in the lock', () => {
  test('is fetched once, and put where the program expects it', async () => {
    const lock = lokiLock({ sha256: sha256(loki) })
    const [first] = await ensureCharts(lock, ['loki'])
    expect(first).toMatchObject({ fetched: true, trust: 'pinned', file: chartFile(lock, 'loki') })
    expect(readFileSync(first!.file)).toEqual(loki)
    const [second] = await ensureCharts(lock, ['loki'])
    expect(second).toMatchObject({ fetched: false, trust: 'pinned' })
    expect(publisher.asked).toEqual(['/loki-18.11.0.tgz'])
  })

  test('is refused when it is another file, and nothing of it is left', async () => {
    const lock = lokiLock({ sha256: 'f'.repeat(64) })
    const error = await problem(ensureCharts(lock, ['loki']))
    expect(error.found).toBe(`chart loki 18.11.0 from ${publisher.host} has sha256 ${sha256(loki)}`)
    expect(error.expected).toContain('f'.repeat(64))
    expect(existsSync(chartFile(lock, 'loki'))).toBe(false)
    expect(remembered(publisher.url('/loki-18.11.0.tgz'))).toBeUndefined()
  })

  test('is fetched anew when the copy was damaged', async () => {
    const lock = lokiLock({ sha256: sha256(loki) })
    writeFileSync(chartFile(lock, 'loki'), 'half a download')
    expect(await ensureCharts(lock, ['loki'])).toMatchObject([{ fetched: true }])
    expect(readFileSync(chartFile(lock, 'loki'))).toEqual(loki)
  })
})

describe('a chart without a digest in the lock', () => {
  test("must be what the publisher's index says", async () => {
    const index = publisher.url('/index.yaml')
    publisher.files.set('/index.yaml', indexOf({ loki: { '18.10.0': 'a'.repeat(64), '18.11.0': sha256(loki) } }))
    expect(await ensureCharts(lokiLock({ index }), ['loki'])).toMatchObject([{ trust: 'published' }])
    expect(remembered(publisher.url('/loki-18.11.0.tgz'))).toBe(sha256(loki))
  })

  test('is refused when the index says otherwise, or does not know it', async () => {
    const index = publisher.url('/index.yaml')
    publisher.files.set('/index.yaml', indexOf({ loki: { '18.11.0': 'b'.repeat(64) } }))
    expect((await problem(ensureCharts(lokiLock({ index }), ['loki']))).expected).toContain('b'.repeat(64))
    publisher.files.set('/index.yaml', indexOf({ loki: { '18.10.0': 'b'.repeat(64) } }))
    expect((await problem(ensureCharts(lokiLock({ index }), ['loki']))).found).toBe(
      `${index} does not list loki 18.11.0`,
    )
  })

  test('is taken on trust where nobody publishes one, said so, and held to it from then on', async () => {
    const lock = lokiLock()
    expect(await ensureCharts(lock, ['loki'])).toMatchObject([{ trust: 'first seen', fetched: true }])
    expect(statSync(join(process.env.LAB_DIR!, 'remembered.json')).mode & 0o777).toBe(0o600)
    publisher.files.set('/loki-18.11.0.tgz', Buffer.concat([loki, Buffer.from('more')]))
    expect(await ensureCharts(lock, ['loki'])).toMatchObject([{ trust: 'remembered', fetched: false }])
    writeFileSync(chartFile(lock, 'loki'), '')
    const error = await problem(ensureCharts(lock, ['loki']))
    expect(error.expected).toBe(`${sha256(loki)}, the digest seen before`)
    expect(error.next).toContain('.lab/remembered.json')
  })
})

describe('an address', () => {
  test('may be a file, and name an environment variable', async () => {
    const folder = newFolder()
    mkdirSync(join(folder, 'charts'))
    writeFileSync(join(folder, 'charts/loki.tgz'), loki)
    const lock = lokiLock({ url: 'file://${LAB_TEST_FOLDER}/charts/loki.tgz' })
    const error = await problem(ensureCharts(lock, ['loki']))
    expect(error.found).toMatch(/^LAB_TEST_FOLDER is not set/)
    process.env.LAB_TEST_FOLDER = folder
    try {
      expect(await ensureCharts(lock, ['loki'])).toMatchObject([{ fetched: true }])
    } finally {
      delete process.env.LAB_TEST_FOLDER
    }
  })

  test('may be a path, relative to the lock', async () => {
    const lock = lokiLock({ url: 'charts/loki.tgz' })
    const file = join(lock.file, '..', 'charts/loki.tgz')
    expect((await problem(ensureCharts(lock, ['loki']))).found).toBe(`no file ${file} for chart loki 18.11.0`)
    mkdirSync(join(lock.file, '../charts'))
    writeFileSync(file, loki)
    expect(await ensureCharts(lock, ['loki'])).toMatchObject([{ fetched: true }])
  })

  test('that leads to another chart or version is refused: the lock does not match itself', async () => {
    publisher.files.set('/loki-18.11.0.tgz', await chartArchive('loki', '7.3.0'))
    const error = await problem(ensureCharts(lokiLock(), ['loki']))
    expect(error.found).toBe('the archive holds chart loki 7.3.0')
    expect(error.expected).toMatch(/^chart loki 18\.11\.0/)
    publisher.files.set('/loki-18.11.0.tgz', 'a page that says sign in')
    expect((await problem(ensureCharts(lokiLock(), ['loki']))).found).toBe('the archive holds no chart')
    expect(remembered(publisher.url('/loki-18.11.0.tgz'))).toBeUndefined()
  })

  test('that does not have the file is told at once; one that is busy is tried again', async () => {
    publisher.files.set('/loki-18.11.0.tgz', 404)
    expect((await problem(ensureCharts(lokiLock(), ['loki']))).found).toBe(
      `${publisher.host} answers 404 for chart loki 18.11.0 (/loki-18.11.0.tgz)`,
    )
    expect(publisher.asked).toHaveLength(1)
    publisher.files.set('/loki-18.11.0.tgz', 503)
    expect((await problem(ensureCharts(lokiLock(), ['loki']))).next).toBe('try again in a while')
    expect(publisher.asked).toHaveLength(1 + 1 + retryPolicy.retries)
  })

  test('that nobody answers at names the host', async () => {
    const error = await problem(ensureCharts(lokiLock({ url: 'http://127.0.0.1:1/loki.tgz' }), ['loki']))
    expect(error.found).toMatch(/^127\.0\.0\.1:1 cannot be reached for chart loki 18\.11\.0/)
  })
})

test('progress counts bytes up to the whole', async () => {
  const seen: [string, number, number | undefined][] = []
  await ensureCharts(lokiLock(), ['loki'], (name, done, total) => seen.push([name, done, total]))
  expect(seen.at(-1)).toEqual(['loki', loki.length, loki.length])
})

test('several at once share one memory', async () => {
  const grafana = await chartArchive('grafana', '12.11.1')
  publisher.files.set('/grafana.tgz', grafana)
  const lock = lockWith({
    charts: {
      loki: { version: '18.11.0', url: publisher.url('/loki-18.11.0.tgz') },
      grafana: { version: '12.11.1', url: publisher.url('/grafana.tgz') },
    },
  })
  await ensureCharts(lock, ['loki', 'grafana'])
  expect(remembered(publisher.url('/grafana.tgz'))).toBe(sha256(grafana))
  expect(remembered(publisher.url('/loki-18.11.0.tgz'))).toBe(sha256(loki))
})

test('an index with dependencies, other charts and quoted versions is read as Helm writes it', () => {
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
