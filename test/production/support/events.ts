import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { parseSamples, type QueryResponse } from '../../../scripts/telemetry/query-response.ts'
import { exportFile, releases } from '../../../shared/names.ts'
import { secondsOf, storedEvents } from '../../faults/support/event-tally.ts'
import { livePod, nodes } from './cluster.ts'
import { withForward } from './production-lab.ts'

// Compares the events in the files of all nodes with those in Loki, one by one.

/** The events of a span of time. */
export interface EventCount {
  written: number
  /** Events written by each node, by its container. */
  byNode: Record<string, number>
  /** Written, and not in Loki. */
  lost: number
  /** Copies that a query returns beside the event. */
  copies: number
  /** In Loki, and never written. */
  unknown: number
  /** How long after the end of the span the last event arrived, in seconds. */
  lateSeconds: number
  /** Lines that Loki received in the span, as its metrics say, less those that were written: what was sent again. */
  sentAgain: number
}

/** An event by its content. */
const key = (line: string): string => createHash('sha1').update(line).digest('base64')

/** Reads the events that a node wrote from one time up to another, but not at it (in seconds since 1970). */
async function* writtenBy(node: string, from: number, to: number): AsyncGenerator<string> {
  // A file that was last written before the span has none of it.
  const find = `find ${exportFile.directory} -name '${exportFile.pattern}' -newermt '@${from}' -exec cat {} +`
  // Hundreds of MB, line by line.
  for await (const line of execa('docker', ['exec', node, 'sh', '-c', find], { buffer: false })) {
    const time = secondsOf(line)
    if (time !== undefined && time >= from && time < to) yield line
  }
}

/**
 * Counts the events of a span, and waits for late ones.
 * @param from whole seconds since 1970
 * @param to the same, in the past
 */
export async function countEvents(from: number, to: number, timeoutSeconds: number): Promise<EventCount> {
  const written = new Map<string, number>()
  const byNode: Record<string, number> = {}
  for (const node of nodes) {
    byNode[node] = 0
    for await (const line of writtenBy(node, from, to)) {
      byNode[node]++
      written.set(key(line), (written.get(key(line)) ?? 0) + 1)
    }
  }
  const total = Object.values(byNode).reduce((sum, count) => sum + count, 0)
  const started = Date.now()
  for (;;) {
    const compared = await withLoki(loki => storedEvents(from, to, `${loki}/loki/api/v1`)).then(
      stored => compare(written, stored.map(key)),
      (error: Error) => error,
    )
    const waited = (Date.now() - started) / 1000
    const failed = compared instanceof Error
    if ((failed || compared.lost > 0) && waited < timeoutSeconds) {
      await sleep(5000)
      continue
    }
    if (failed) throw compared
    const { lost, copies, unknown } = compared
    const received = await metric(`sum(increase(loki_distributor_lines_received_total[${to - from}s] @ ${to}))`)
    const sentAgain = Math.max(0, Math.round(received - total))
    return { written: total, byNode, lost, copies, unknown, lateSeconds: Math.round(waited), sentAgain }
  }
}

/** Compares events by their content. */
export function compare(
  written: ReadonlyMap<string, number>,
  stored: readonly string[],
): Pick<EventCount, 'lost' | 'copies' | 'unknown'> {
  const found = new Map<string, number>()
  for (const event of stored) found.set(event, (found.get(event) ?? 0) + 1)
  let [lost, copies, unknown] = [0, 0, 0]
  for (const [event, count] of written) lost += Math.max(0, count - (found.get(event) ?? 0))
  for (const [event, count] of found) {
    const expected = written.get(event) ?? 0
    if (expected === 0) unknown += count
    else copies += Math.max(0, count - expected)
  }
  return { lost, copies, unknown }
}

/** Runs something with the address of a Loki. Each answers for all of them. */
export const withLoki = async <T>(run: (loki: string) => Promise<T>): Promise<T> =>
  withForward(await livePod(`app.kubernetes.io/instance=${releases.loki}`), 3100, run)

/**
 * Returns the value of a query to Prometheus; 0 for none.
 * @param pod one of the servers; by default any
 */
export const metric = async (expression: string, pod?: string): Promise<number> =>
  withForward(pod ?? (await livePod('app.kubernetes.io/name=prometheus')), 9090, async prometheus => {
    const response = await fetch(`${prometheus}/api/v1/query?${new URLSearchParams({ query: expression })}`)
    return parseSamples((await response.json()) as QueryResponse)[0]?.value ?? 0
  })

/** Returns how many events Loki has of a span, which it counts itself. */
export const countInLoki = (from: number, to: number): Promise<number> =>
  withLoki(async loki => {
    let total = 0
    for (let start = from; start < to; start += 60) {
      const end = Math.min(start + 60, to)
      // A range excludes its start and includes its end, and an event at the end is outside of the span.
      const query = new URLSearchParams({
        query: `sum(count_over_time({service_name="tetragon"}[${end - start}s]))`,
        time: `${BigInt(end) * 1_000_000_000n - 1n}`,
      })
      const response = await fetch(`${loki}/loki/api/v1/query?${query}`, { signal: AbortSignal.timeout(30_000) })
      total += parseSamples((await response.json()) as QueryResponse)[0]?.value ?? 0
    }
    return total
  })
