import { parse } from 'yaml'

// Reads the digests that publishers list beside their files.

/**
 * Returns a file's digest from a checksum file: `HASH  NAME` lines as sha256sum writes them, or a single hash.
 * @returns undefined when the file is not listed.
 */
export function digestInChecksums(text: string, name: string): string | undefined {
  const lines = text.split(/\r?\n/).filter(line => line.trim() !== '')
  for (const line of lines) {
    const entry = /^([0-9a-f]{64})(?:\s+\*?(?:.*\/)?(.+?))?\s*$/i.exec(line)
    if (entry && (entry[2] === name || (entry[2] === undefined && lines.length === 1))) return entry[1]!.toLowerCase()
  }
  return undefined
}

/** One version of a chart in a repository's index.yaml. */
export interface ChartEntry {
  version: string
  digest?: string
  /** Addresses of the archive, absolute or relative to the index. */
  urls?: string[]
  /** Version of the program that the chart installs. */
  appVersion?: string
}

/** Returns the versions of a chart in a repository's index.yaml, in the order of the index. */
export const versionsInIndex = (text: string, chart: string): string[] =>
  entriesOf(text, chart).flatMap(entry => /^ {2}[- ] version: ["']?([^"'\s]+)["']?$/m.exec(entry)?.[1] ?? [])

/** Returns a version of a chart from a repository's index.yaml, or undefined when it is not listed. */
export function entryInIndex(text: string, chart: string, version: string): ChartEntry | undefined {
  const entry = entriesOf(text, chart).find(item => versionLine(version).test(item))
  if (!entry) return undefined
  // The failsafe schema reads everything as text: a digest of digits alone would become a number
  const [{ digest, ...parsed }] = parse(entry, { schema: 'failsafe' }) as [ChartEntry]
  return digest === undefined ? parsed : { ...parsed, digest: digest.replace(/^sha256:/, '') }
}

/** Returns the digest of a chart version from a repository's index.yaml, or undefined when it is not listed. */
export const digestInIndex = (text: string, chart: string, version: string): string | undefined =>
  entryInIndex(text, chart, version)?.digest

/**
 * Returns the entries of a chart as YAML. An index has megabytes, which a YAML parser reads in seconds, so it is split by
 * its indentation: Helm indents a chart by two spaces.
 */
function entriesOf(text: string, chart: string): string[] {
  const start = text.indexOf(`\n  ${chart}:\n`)
  if (start < 0) return []
  const rest = text.slice(start + chart.length + 5)
  const end = rest.search(/\n {0,2}[^\s-]/)
  return (end < 0 ? rest : rest.slice(0, end)).split(/\n(?= {2}- )/)
}

const versionLine = (version: string): RegExp =>
  new RegExp(`^ {2}[- ] version: ["']?${version.replaceAll('.', '\\.').replaceAll('+', '\\+')}["']?$`, 'm')
