import { stat } from 'node:fs/promises'
import pLimit from 'p-limit'
import { list } from 'tar'
import { parse } from 'yaml'
import { LabError } from '../../shared/lab-error.ts'
import { type ChartName, chartFile, chartNames, type Lock } from '../../shared/lock.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { fetchText, fetchVerified, fileDigest, knownDigest, type OnBytes, type Trust } from './download.ts'
import { expandAddress } from './platform.ts'
import { digestInIndex } from './published-digests.ts'

/** Charts that a lab with these settings installs. */
export const chartsOf = ({ pipeline }: Settings): ChartName[] =>
  chartNames.filter(name => name !== (pipeline.shipper === 'otel' ? 'fluent-bit' : 'opentelemetry-collector'))

/** A chart that is in place. */
export interface ReadyChart {
  name: ChartName
  version: string
  /** Absolute path of its archive. */
  file: string
  /** Fetched in this call. */
  fetched: boolean
  /** How its digest was known. `first seen`: it was not, and is remembered from now on; say so to the user. */
  trust: Trust
}

/**
 * Brings the archives of charts into `.lab/charts`, each once, each verified.
 * @throws LabError for an archive that cannot be fetched, whose digest differs, or that holds another chart or version than the lock says.
 */
export async function ensureCharts(
  lock: Lock,
  names: readonly ChartName[],
  onBytes?: (name: ChartName, ...bytes: Parameters<OnBytes>) => void,
): Promise<ReadyChart[]> {
  const atATime = pLimit(4)
  return Promise.all(
    names.map(name => atATime(() => ensureChart(lock, name, onBytes && ((done, total) => onBytes(name, done, total))))),
  )
}

async function ensureChart(lock: Lock, name: ChartName, onBytes?: OnBytes): Promise<ReadyChart> {
  const { version, sha256, index } = lock.charts[name]
  const file = chartFile(lock, name)
  const ready = await chartInPlace(lock, name)
  if (ready) return { name, version, file, fetched: false, trust: ready }
  const trust = await fetchVerified({
    what: `chart ${name} ${version}`,
    url: chartAddress(lock, name),
    to: file,
    sha256,
    published: index ? () => publishedDigest(lock, name, expandAddress(index, lock.file)) : undefined,
    onBytes,
    inspect: archive => sameChart(archive, name, version, lock.file),
  })
  return { name, version, file, fetched: true, trust }
}

/** Where a chart comes from. @throws LabError for an address that names an environment variable which is not set. */
export const chartAddress = (lock: Lock, name: ChartName): URL => expandAddress(lock.charts[name].url, lock.file)

/**
 * How the archive in `.lab/charts` is known to be right, or undefined when it is missing or is not.
 * Hashed anew each time: it costs milliseconds, and finds what a full disk, an editor or another lock did to it.
 */
export async function chartInPlace(lock: Lock, name: ChartName): Promise<Trust | undefined> {
  const file = chartFile(lock, name)
  const known = knownDigest({ url: chartAddress(lock, name), sha256: lock.charts[name].sha256 })
  return known && (await exists(file)) && (await fileDigest(file)) === known.digest ? known.trust : undefined
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    found => found.isFile(),
    () => false,
  )

async function publishedDigest(lock: Lock, name: ChartName, index: URL): Promise<string> {
  const { version } = lock.charts[name]
  const digest = digestInIndex(await fetchText(`the index of chart ${name}`, index), name, version)
  if (digest) return digest
  throw new LabError({
    found: `${index.href} does not list ${name} ${version}`,
    expected: 'a version that its publisher lists, with its digest',
    next: `name another version, or its sha256, under charts.${name} of ${lock.file}`,
  })
}

/** A lock whose version and address disagree would deploy something else than it says. */
async function sameChart(archive: string, name: ChartName, version: string, lockFile: string): Promise<void> {
  let text = ''
  try {
    await list({
      file: archive,
      filter: path => /^(\.\/)?[^/]+\/Chart\.yaml$/.test(path),
      onReadEntry: entry => entry.on('data', (chunk: Buffer) => (text += chunk.toString('utf8'))),
    })
  } catch {
    // Not an archive: the same message as for one without a Chart.yaml
  }
  const holds = (text ? parse(text) : {}) as { name?: string; version?: string }
  if (holds.name === name && holds.version === version) return
  throw new LabError({
    found: holds.name ? `the archive holds chart ${holds.name} ${holds.version}` : 'the archive holds no chart',
    expected: `chart ${name} ${version}, as ${lockFile} says`,
    next: `mend version or url under charts.${name} of ${lockFile}`,
  })
}
