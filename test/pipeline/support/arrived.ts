import { isDeepStrictEqual } from 'node:util'
import type { Pipeline } from './pipeline.ts'
import { type Lifted, lifted } from './reference.ts'

/** What became of the events that were written. */
export interface Arrival {
  /** How many are in Loki; one that is there twice counts twice. */
  counted: number
  /** Lines that are not there. */
  missing: string[]
  /** What is there and was never written, byte by byte. */
  unknown: string[]
  /** Events whose time, labels or metadata are not what they should be: as they are, and as they should be. */
  different: { is: Omit<Lifted, 'line'>; should: Omit<Lifted, 'line'> }[]
  /** How many were sent more than once: Loki had not taken them, or had not said so, or had them already and knew them for what they were. */
  again: number
}

/** Nothing lost, nothing twice, nothing changed. */
export const allOf = (lines: readonly string[]): Omit<Arrival, 'again'> => ({
  counted: lines.length,
  missing: [],
  unknown: [],
  different: [],
})

/**
 * Waits for the lines to be in Loki, and holds each against what the plain reference makes of it.
 * @param seconds to wait at most
 */
export async function arrived(pipeline: Pipeline, lines: readonly string[], seconds = 120): Promise<Arrival> {
  const counted = await pipeline.loki.settled(lines.length, { seconds })
  const awaited = new Set(lines)
  const arrival: Arrival = {
    counted,
    missing: [],
    unknown: [],
    different: [],
    again: (await pipeline.loki.received()) - lines.length,
  }
  for (const { line, ...is } of await pipeline.loki.events()) {
    if (!awaited.delete(line)) {
      arrival.unknown.push(line)
      continue
    }
    const { line: _, ...should } = asInLoki(lifted(line))
    if (!isDeepStrictEqual(is, should)) arrival.different.push({ is, should })
  }
  arrival.missing.push(...awaited)
  return arrival
}

/** Loki adds to an event the level that it takes from the severity. */
const asInLoki = (event: Lifted): Lifted => ({
  ...event,
  metadata: { ...event.metadata, detected_level: event.metadata.severity_text! },
})

/** One line for who reads along. */
export const told = (what: string, lines: readonly string[], { counted, again }: Arrival): string =>
  `${what}: ${lines.length} written, ${counted} in Loki${again > 0 ? `, ${again} of them sent more than once` : ''}`
