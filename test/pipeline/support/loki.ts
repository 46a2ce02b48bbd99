import { setTimeout as sleep } from 'node:timers/promises'
import type { Lifted } from './reference.ts'

interface Answer<Result> {
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

const everything = '{service_name="tetragon"}'
/** How far around now is looked, in milliseconds. */
const around = 3600_000

/** What Loki holds, asked over HTTP. */
export class Loki {
  readonly #address: () => string

  /** @param address changes when its container is started again */
  constructor(address: () => string) {
    this.#address = address
  }

  async #get<Result>(path: string, parameters: Record<string, string>): Promise<Result[]> {
    const answer = await fetch(`${this.#address()}/loki/api/v1/${path}?${new URLSearchParams(parameters)}`, {
      // Labels and metadata apart: otherwise Loki mixes them.
      headers: { 'X-Loki-Response-Encoding-Flags': 'categorize-labels' },
    })
    if (!answer.ok) throw new Error(`Loki answers ${answer.status}: ${await answer.text()}`)
    return ((await answer.json()) as Answer<Result>).data.result
  }

  /** Resolves when it takes requests. */
  async ready(): Promise<void> {
    for (const end = Date.now() + 120_000; Date.now() < end; await sleep(250)) {
      const answer = await fetch(`${this.#address()}/ready`).catch(() => undefined)
      if (answer?.ok) return
    }
    throw new Error('Loki was not ready after two minutes')
  }

  /** How many events it holds. What it has taken twice counts twice here, other than in `events`. */
  async count(selector = everything): Promise<number> {
    const [total] = await this.#get<Sample>('query', {
      query: `sum(count_over_time(${selector}[2h]))`,
      time: String(nanoseconds(Date.now() + around)),
    })
    return Number(total?.value[1] ?? 0)
  }

  /** Whether a query, for lines or of a metric, finds anything in the last quarter of an hour. */
  async finds(query: string): Promise<boolean> {
    const now = Date.now()
    const [first] = await this.#get<object>('query_range', {
      query,
      start: String(nanoseconds(now - 900_000)),
      // Steps are whole ones, and the last events not to be cut off.
      end: String(nanoseconds(now + 60_000)),
      step: '15',
      limit: '1',
    })
    return first !== undefined
  }

  /** Waits until it holds that many events, and for a while longer whether more come. Gives how many there are in the end. */
  async settled(wanted: number, { seconds = 120, quiet = 5 } = {}): Promise<number> {
    let found = await this.count()
    for (const end = Date.now() + seconds * 1000; found < wanted && Date.now() < end; found = await this.count())
      await sleep(1000)
    await sleep(quiet * 1000)
    return this.count()
  }

  /** Every event that it holds, in the order of time. */
  async events(): Promise<Lifted[]> {
    const limit = 1000
    const found: Lifted[] = []
    let start = nanoseconds(Date.now() - around)
    const end = nanoseconds(Date.now() + around)
    for (;;) {
      const streams = await this.#get<Stream>('query_range', {
        query: everything,
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
      // Of the last instant there may be more: it is asked for again.
      start = page.at(-1)!.time
      found.push(...page.filter(({ time }) => time < start))
    }
  }

  /** How many lines were ever sent to it, those included that it dropped because it had them already. */
  async received(): Promise<number> {
    const text = await (await fetch(`${this.#address()}/metrics`)).text()
    const lines = text.split('\n').filter(line => line.startsWith('loki_distributor_lines_received_total{'))
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }
}

const nanoseconds = (milliseconds: number): bigint => BigInt(milliseconds) * 1_000_000n
