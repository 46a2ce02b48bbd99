import pLimit from 'p-limit'
import { parse } from 'yaml'
import { LabError } from '../../shared/lab-error.ts'
import { type ChartName, chartFile, chartNames, type Lock } from '../../shared/lock.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readArchiveFiles } from './archive-files.ts'
import { fetchText, fetchVerified, fileDigest, isFile, knownDigest, type OnBytes, type Trust } from './download.ts'
import { expandUrl } from './platform.ts'
import { digestInIndex } from './published-digests.ts'

/** Returns the charts that a lab with these settings installs. */
export const requiredCharts = ({ pipeline }: Settings): ChartName[] =>
  chartNames.filter(name => name !== (pipeline.shipper === 'otel' ? 'fluent-bit' : 'opentelemetry-collector'))

/** A verified chart in `.lab/charts`. */
export interface ReadyChart {
  name: ChartName
  version: string
  /** Absolute path of its archive. */
  file: string
  /** Whether this call downloaded it. */
  fetched: boolean
  /**
   * How its digest was known. Tell the user about `first seen`: the digest was unknown, and is required from now on.
   */
  trust: Trust
}

/**
 * Downloads the charts that are not yet in `.lab/charts`, and verifies all of them.
 * @throws LabError when a download fails, a digest differs, or an archive contains another chart or version than the
 * lock names.
 */
export async function ensureCharts(
  lock: Lock,
  names: readonly ChartName[],
  onBytes?: (name: ChartName, ...bytes: Parameters<OnBytes>) => void,
): Promise<ReadyChart[]> {
  const limit = pLimit(4)
  return Promise.all(
    names.map(name => limit(() => ensureChart(lock, name, onBytes && ((done, total) => onBytes(name, done, total))))),
  )
}

async function ensureChart(lock: Lock, name: ChartName, onBytes?: OnBytes): Promise<ReadyChart> {
  const { version, sha256, index } = lock.charts[name]
  const file = chartFile(lock, name)
  const stored = await verifyStoredChart(lock, name)
  if (stored) return { name, version, file, fetched: false, trust: stored }
  const trust = await fetchVerified({
    what: `chart ${name} ${version}`,
    url: chartUrl(lock, name),
    to: file,
    sha256,
    published: index ? () => publishedDigest(lock, name, expandUrl(index, lock.file)) : undefined,
    onBytes,
    inspect: archive => requireChart(archive, name, version, lock.file),
  })
  return { name, version, file, fetched: true, trust }
}

/** Returns the URL of a chart. @throws LabError when it needs an environment variable that is not set. */
export const chartUrl = (lock: Lock, name: ChartName): URL => expandUrl(lock.charts[name].url, lock.file)

/**
 * Returns how the archive in `.lab/charts` is known to be right, or undefined when it is missing or wrong.
 * It is hashed each time: that takes milliseconds, and detects a change by a full disk, an editor or another lock.
 */
export async function verifyStoredChart(lock: Lock, name: ChartName): Promise<Trust | undefined> {
  const file = chartFile(lock, name)
  const known = knownDigest({ url: chartUrl(lock, name), sha256: lock.charts[name].sha256 })
  return known && (await isFile(file)) && (await fileDigest(file)) === known.digest ? known.trust : undefined
}

async function publishedDigest(lock: Lock, name: ChartName, index: URL): Promise<string> {
  const { version } = lock.charts[name]
  const digest = digestInIndex(await fetchText(`the index of chart ${name}`, index), name, version)
  if (digest) return digest
  throw new LabError({
    found: `The index ${index.href} does not list ${name} ${version}`,
    expected: 'a version with a digest in the index of its publisher',
    next: `set another version, or its sha256, under charts.${name} in ${lock.file}`,
  })
}

/**
 * Checks the name and version in the archive: a lock whose version and URL disagree would deploy another version than
 * it shows.
 */
async function requireChart(archive: string, name: ChartName, version: string, lockFile: string): Promise<void> {
  let text = ''
  try {
    for (const content of (await readArchiveFiles(archive, /^(\.\/)?[^/]+\/Chart\.yaml$/)).values()) text += content
  } catch {
    // A file that is not an archive gets the same message as an archive without a Chart.yaml
  }
  const chart = (text ? parse(text) : {}) as { name?: string; version?: string }
  if (chart.name === name && chart.version === version) return
  throw new LabError({
    found: chart.name ? `The archive contains chart ${chart.name} ${chart.version}` : 'The archive contains no chart',
    expected: `chart ${name} ${version}, as in ${lockFile}`,
    next: `correct version or url under charts.${name} in ${lockFile}`,
  })
}
