// Nanosecond timestamps as protobuf writes them in JSON. `Date` only has milliseconds.

const nsPerSecond = 1_000_000_000n

/**
 * Matches a JSON string value that is a timestamp. A timestamp inside a longer string, such as a program's arguments,
 * does not match.
 */
const timestampValue = /(?<=":\s?")(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z(?=")/g

/** Years 1 and 9999 are the limits of a protobuf timestamp. Go writes year 1 for "never". */
const earliest = -62_135_596_800n * nsPerSecond
const latest = 253_402_300_799_999_999_999n

/**
 * Returns the nanoseconds since 1970 of a UTC timestamp such as `2026-11-21T09:27:20.957577185Z`.
 * @throws Error if the text is not a timestamp or the date does not exist
 */
export function parseTime(text: string): bigint {
  const [, seconds = '', fraction = ''] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text) ?? []
  const ms = Date.parse(`${seconds}Z`)
  if (Number.isNaN(ms)) throw new Error(`${JSON.stringify(text)} is not a timestamp`)
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

/** Formats nanoseconds since 1970 as protobuf does: with 0, 3, 6 or 9 digits of fraction, as few as possible. */
export function formatTime(ns: bigint): string {
  if (ns < earliest) return formatTime(earliest)
  if (ns > latest) return formatTime(latest)
  const seconds = floorDiv(ns, nsPerSecond)
  const fraction = (ns - seconds * nsPerSecond)
    .toString()
    .padStart(9, '0')
    .replace(/(000){1,3}$/, '')
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19) + (fraction && `.${fraction}`) + 'Z'
}

/**
 * Replaces every timestamp in a line of JSON and leaves the rest of the line as it is. A timestamp in whole seconds, as
 * Kubernetes writes them, stays in whole seconds.
 */
export const shiftTimestamps = (line: string, shift: (ns: bigint) => bigint): string =>
  line.replace(timestampValue, (text: string, _seconds: string, fraction: string | undefined) => {
    // Not every match is a date: a policy's message may contain month 13.
    if (Number.isNaN(Date.parse(text))) return text
    const ns = shift(parseTime(text))
    return formatTime(fraction === undefined ? floorDiv(ns, nsPerSecond) * nsPerSecond : ns)
  })

/** Divides and rounds down, also for negative numbers. The divisor must be positive. */
export const floorDiv = (a: bigint, b: bigint): bigint => (a - (((a % b) + b) % b)) / b
