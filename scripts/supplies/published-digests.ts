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

/**
 * Returns the digest of a chart version from a repository's index.yaml.
 *
 * Such an index has megabytes, which a YAML parser reads in seconds. So only the chart's entry is parsed, which Helm
 * indents by two spaces.
 * @returns undefined when the version is not listed.
 */
export function digestInIndex(text: string, chart: string, version: string): string | undefined {
  const start = text.indexOf(`\n  ${chart}:\n`)
  if (start < 0) return undefined
  const rest = text.slice(start + chart.length + 4)
  const end = rest.search(/\n {0,2}[^\s-]/)
  const section = end < 0 ? rest : rest.slice(0, end)
  const entry = section.split(/\n(?= {2}- )/).find(item => versionLine(version).test(item))
  if (!entry) return undefined
  // The failsafe schema reads everything as text: a digest of digits alone would become a number
  const [parsed] = parse(entry, { schema: 'failsafe' }) as { digest?: string }[]
  return parsed?.digest?.replace(/^sha256:/, '')
}

const versionLine = (version: string): RegExp =>
  new RegExp(`^ {2}[- ] version: ["']?${version.replaceAll('.', '\\.').replaceAll('+', '\\+')}["']?$`, 'm')
