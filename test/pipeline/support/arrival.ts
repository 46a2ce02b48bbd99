import { isDeepStrictEqual } from 'node:util'
import { expectedEvent, type StoredEvent } from './expected-event.ts'
import type { Pipeline } from './pipeline.ts'

/** How the events in Loki compare with those that were written. */
export interface Arrival {
  /** Number of events in Loki. A duplicate counts twice. */
  counted: number
  /** Lines that are not in Loki. */
  missing: string[]
  /** Lines in Loki that were never written, or are duplicates. */
  unknown: string[]
  /** Events with a wrong time, label or metadata. */
  different: { actual: Omit<StoredEvent, 'line'>; expected: Omit<StoredEvent, 'line'> }[]
  /** Number of events that were sent more than once, because Loki did not confirm them. */
  resent: number
}

/** The arrival of exactly these lines: none lost, duplicated or changed. */
export const exactly = (lines: readonly string[]): Omit<Arrival, 'resent'> => ({
  counted: lines.length,
  missing: [],
  unknown: [],
  different: [],
})

/**
 * Waits for the lines to arrive in Loki, and compares each with the reference.
 * @param seconds maximum time to wait
 */
export async function waitForArrival(pipeline: Pipeline, lines: readonly string[], seconds = 120): Promise<Arrival> {
  const counted = await pipeline.loki.waitForCount(lines.length, { seconds })
  const missing = new Set(lines)
  const arrival: Arrival = {
    counted,
    missing: [],
    unknown: [],
    different: [],
    resent: (await pipeline.loki.received()) - lines.length,
  }
  for (const { line, ...actual } of await pipeline.loki.events()) {
    if (!missing.delete(line)) {
      arrival.unknown.push(line)
      continue
    }
    const { line: _, ...expected } = withLevel(expectedEvent(line))
    if (!isDeepStrictEqual(actual, expected)) arrival.different.push({ actual, expected })
  }
  arrival.missing.push(...missing)
  return arrival
}

/** Adds the level that Loki derives from the severity. */
const withLevel = (event: StoredEvent): StoredEvent => ({
  ...event,
  metadata: { ...event.metadata, detected_level: event.metadata.severity_text! },
})

/** Describes an arrival in one line for the log. */
export const describeArrival = (what: string, lines: readonly string[], { counted, resent }: Arrival): string =>
  `${what}: ${lines.length} written, ${counted} in Loki${resent > 0 ? `, ${resent} of them sent more than once` : ''}`
