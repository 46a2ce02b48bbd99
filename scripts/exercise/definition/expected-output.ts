/**
 * Compares an output with the text that shows it. Spaces and table borders count as one space. `…` within a line
 * matches anything; a line of `…` alone matches any lines.
 * @returns the first line that does not match; undefined when all do.
 */
export function outputMismatch(shown: string, output: string): string | undefined {
  const lines = normalizedLines(output)
  let at = 0
  let skipping = false
  for (const wanted of normalizedLines(shown)) {
    if (wanted === '…') {
      skipping = true
      continue
    }
    const pattern = new RegExp(`^${wanted.split('…').map(escapeRegex).join('.*')}$`)
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line))
    if (found < 0 || (found > at && !skipping)) return wanted
    at = found + 1
    skipping = false
  }
  return at < lines.length && !skipping ? `(no further line, but: ${lines[at]})` : undefined
}

const normalizedLines = (text: string): string[] =>
  text
    .split('\n')
    .map(line => line.replace(/[\s│┌┬┐├┼┤└┴┘─]+/g, ' ').trim())
    .filter(Boolean)

const escapeRegex = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
