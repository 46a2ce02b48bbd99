import { setTimeout as sleep } from 'node:timers/promises'
import type { StoredEvent } from './expected-event.ts'

interface QueryResult<Result> {
  data: { result: Result[] }
}
interface Stream {
  stream: Record<string, string>
  values: [time: string, line: string, categories?: { structuredMetadata?: Record<string, string> }][]
}
interface Sample {
  metric: Record<string, string>
  value: [number, string]
}

const allEvents = '{service_name="tetragon"}'
/** Queries cover this much time before and after now, in milliseconds. */
const windowMs = 3600_000

/** A client of Loki's API. */
export class LokiClient {
  readonly #address: () => string

  /** @param address a function, because the address changes when the container restarts */
  constructor(address: () => string) {
    this.#address = address
  }

  async #get<Result>(path: string, parameters: Record<string, string>): Promise<Result[]> {
    const response = await fetch(`${this.#address()}/loki/api/v1/${path}?${new URLSearchParams(parameters)}`, {
      // Separates labels and metadata.
      headers: { 'X-Loki-Response-Encoding-Flags': 'categorize-labels' },
    })
    if (!response.ok) throw new Error(`Loki responded with ${response.status}: ${await response.text()}`)
    return ((await response.json()) as QueryResult<Result>).data.result
  }

  /** Waits until Loki accepts requests. */
  async waitUntilReady(): Promise<void> {
    for (const end = Date.now() + 120_000; Date.now() < end; await sleep(250)) {
      const response = await fetch(`${this.#address()}/ready`).catch(() => undefined)
      if (response?.ok) return
    }
    throw new Error('Loki was not ready after 2 minutes')
  }

  /** Counts the events. A duplicate counts twice, other than in `events`. */
  async count(selector = allEvents): Promise<number> {
    const [total] = await this.#get<Sample>('query', {
      query: `sum(count_over_time(${selector}[2h]))`,
      time: String(toNs(Date.now() + windowMs)),
    })
    return Number(total?.value[1] ?? 0)
  }

  /** Tells whether a query has a result in the last 15 minutes. */
  async hasResult(query: string): Promise<boolean> {
    const now = Date.now()
    const [first] = await this.#get<object>('query_range', {
      query,
      start: String(toNs(now - 900_000)),
      // Later than now, so that the last step is complete.
      end: String(toNs(now + 60_000)),
      step: '15',
      limit: '1',
    })
    return first !== undefined
  }

  /** Waits until Loki has that many events, then for a while in case of duplicates. Returns the count at the end. */
  async waitForCount(expected: number, { seconds = 120, settleSeconds = 5 } = {}): Promise<number> {
    let found = await this.count()
    for (const end = Date.now() + seconds * 1000; found < expected && Date.now() < end; found = await this.count())
      await sleep(1000)
    await sleep(settleSeconds * 1000)
    return this.count()
  }

  /** Returns every event, sorted by time. */
  async events(): Promise<StoredEvent[]> {
    const limit = 1000
    const found: StoredEvent[] = []
    let start = toNs(Date.now() - windowMs)
    const end = toNs(Date.now() + windowMs)
    for (;;) {
      const streams = await this.#get<Stream>('query_range', {
        query: allEvents,
        start: String(start),
        end: String(end),
        limit: String(limit),
        direction: 'forward',
      })
      const page = streams.flatMap(({ stream, values }) =>
        values.map(([time, line, categories]) => ({
          time: BigInt(time),
          line,
          labels: stream,
          metadata: categories?.structuredMetadata ?? {},
        })),
      )
      page.sort((a, b) => Number(a.time - b.time))
      if (page.length < limit) return [...found, ...page]
      // There may be more events at the last time, so query it again.
      start = page.at(-1)!.time
      found.push(...page.filter(({ time }) => time < start))
    }
  }

  /** Returns how many lines Loki has received, including duplicates that it dropped. */
  async received(): Promise<number> {
    const text = await (await fetch(`${this.#address()}/metrics`)).text()
    const lines = text.split('\n').filter(line => line.startsWith('loki_distributor_lines_received_total{'))
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }
}

const toNs = (milliseconds: number): bigint => BigInt(milliseconds) * 1_000_000n
