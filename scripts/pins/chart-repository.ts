import { LabError } from '../../shared/lab-error.ts'
import type { ChartName, Lock } from '../../shared/lock.ts'
import { fetchText } from '../supplies/download.ts'
import { expandUrl } from '../supplies/platform.ts'
import { entryInIndex, versionsInIndex } from '../supplies/published-digests.ts'
import { newestVersion } from './version.ts'

/** A chart version as its repository lists it. */
export interface PublishedChart {
  version: string
  url: string
  sha256: string
}

/** Returns the newest version of a chart in its repository. @throws LabError as `publishedChart`. */
export async function newestChart(lock: Lock, name: ChartName): Promise<string> {
  const { text } = await readIndex(lock, name)
  return newestVersion(lock.charts[name].version, versionsInIndex(text, name))
}

/**
 * Returns a version of a chart with its address and digest. The address stays on the mirror that the lock file names.
 * @throws LabError when the repository does not respond or does not list that version.
 */
export async function publishedChart(lock: Lock, name: ChartName, version: string): Promise<PublishedChart> {
  const { text, address } = await readIndex(lock, name)
  const listed = (of: string): { url?: string; digest?: string } => {
    const entry = entryInIndex(text, name, of)
    return { url: entry?.urls?.[0] && new URL(entry.urls[0], address).href, digest: entry?.digest }
  }
  const { url, digest } = listed(version)
  if (!url || !digest)
    throw new LabError({
      found: `The index ${address.href} does not list ${name} ${version}`,
      expected: `a version of its publisher, such as ${newestVersion(version, versionsInIndex(text, name))}`,
      next: `./lab pins update charts.${name}`,
    })
  const current = lock.charts[name]
  const isMirror = current.url !== listed(current.version).url
  return { version, sha256: digest, url: isMirror ? current.url.replaceAll(current.version, version) : url }
}

async function readIndex(lock: Lock, name: ChartName): Promise<{ text: string; address: URL }> {
  const { index } = lock.charts[name]
  if (!index)
    throw new LabError({
      found: `charts.${name} in ${lock.file} names no index`,
      expected: 'the address of the index.yaml of its repository, under index',
      next: `add index under charts.${name} in ${lock.file}`,
    })
  const address = expandUrl(index, lock.file)
  return { text: await fetchText(`the index of chart ${name}`, address), address }
}
