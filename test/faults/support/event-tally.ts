import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { exportFile } from '../../../shared/names.ts'
import { testLab } from './checkout.ts'
import { node } from './test-lab.ts'

// Compares the events in the export files on the node with those in Loki, one by one.

const loki = `http://127.0.0.1:${testLab.ports.loki}/loki/api/v1`

export interface EventTally {
  written: number
  missing: number
  /** Events that Loki has more often than they were written. */
  duplicates: number
}

/** Reads the events in the export files from `from` up to, but not including, `to` (in seconds since 1970). */
async function exportedEvents(from: number, to: number): Promise<string[]> {
  const { stdout } = await execa(
    'docker',
    ['exec', node, 'sh', '-c', `cat ${exportFile.directory}/${exportFile.pattern}`],
    { maxBuffer: 2 ** 30 },
  )
  return stdout.split('\n').filter(line => {
    const time = secondsOf(line)
    return time !== undefined && time >= from && time < to
  })
}

/** Returns the time of an event, which is the last field of its line. */
export function secondsOf(line: string): number | undefined {
  const match = /"time":"([^"]+)"[^"]*$|"time":"([^"]+)"(?!.*"time":")/.exec(line.slice(-400))
  const text = match?.[1] ?? match?.[2]
  return text === undefined ? undefined : Date.parse(text) / 1000
}

/**
 * Reads the events in Loki for the same span, 5 s at a time because a response has a maximum number of lines.
 * @param api address of Loki's API
 */
export async function storedEvents(from: number, to: number, api = loki): Promise<string[]> {
  const events: string[] = []
  for (let start = from; start < to; start += 5) {
    const parameters = new URLSearchParams({
      query: '{service_name="tetragon"}',
      start: `${start}000000000`,
      end: `${Math.min(start + 5, to)}000000000`,
      limit: '5000',
      direction: 'forward',
    })
    // A query that runs while a Loki replica restarts can hang for five minutes.
    const response = await fetch(`${api}/query_range?${parameters}`, { signal: AbortSignal.timeout(30_000) })
    if (!response.ok) throw new Error(`Loki responded with ${response.status}: ${await response.text()}`)
    const { data } = (await response.json()) as { data: { result: { values: [string, string][] }[] } }
    const lines = data.result.flatMap(({ values }) => values.map(([, line]) => line))
    if (lines.length === 5000) throw new Error('Loki has more events in 5 s than one response can contain')
    events.push(...lines)
  }
  return events
}

/**
 * Counts the events that are missing or duplicated in Loki, and waits for late ones.
 * @param from whole seconds since 1970
 * @param to the same, in the past
 */
export async function tallyEvents(from: number, to: number, timeoutSeconds = 120): Promise<EventTally> {
  const written = await exportedEvents(from, to)
  for (const deadline = Date.now() + timeoutSeconds * 1000; ; await sleep(3000)) {
    const pending = new Map<string, number>()
    for (const line of written) pending.set(line, (pending.get(line) ?? 0) + 1)
    let duplicates = 0
    for (const line of await storedEvents(from, to)) {
      const count = pending.get(line) ?? 0
      if (count > 0) pending.set(line, count - 1)
      else duplicates++
    }
    const missing = [...pending.values()].reduce((sum, count) => sum + count, 0)
    if (missing === 0 || Date.now() > deadline) return { written: written.length, missing, duplicates }
  }
}

export const nowInSeconds = (): number => Math.floor(Date.now() / 1000)
