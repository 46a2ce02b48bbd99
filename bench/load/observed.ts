import { setTimeout as sleep } from 'node:timers/promises'
import { stages } from '../../dashboards/stages.ts'
import { LabError } from '../../shared/lab-error.ts'
import type { Settings } from '../../shared/settings/schema.ts'

const everything = '{service_name="tetragon"}'
/** The most that Loki gives at once. */
const limit = 5000
const minute = 60_000_000_000n

interface Stream {
  values: [time: string, line: string][]
}
interface Sample {
  metric: Record<string, string>
  value: [number, string]
}

/** How many events have passed each stage since the lab stands. */
export interface Counts {
  /** Read from the file by the shipper. */
  read: number
  /** Sent by it, as it says. */
  sent: number
  /** Received by Loki; one that is sent twice counts twice. */
  received: number
}

/** Processors (1 is one of them, wholly) and memory (MiB, the most) that something took. */
export interface Cost {
  cpu: number
  memory: number
}

/** What can be seen of a lab under load from outside: Prometheus and Loki, asked over HTTP. */
export class Observed {
  readonly #prometheus: string
  readonly #loki: string
  readonly #scrape: number

  constructor({ ports, prometheus }: Settings) {
    this.#prometheus = `http://127.0.0.1:${ports.prometheus}/api/v1`
    this.#loki = `http://127.0.0.1:${ports.loki}`
    this.#scrape = Number.parseInt(prometheus.scrapeInterval, 10) * 1000
  }

  /** Counts at a moment of rest. Waits until Prometheus has read all of them since. */
  async counts(): Promise<Counts> {
    const passed = [stages.shipper.passed, stages.delivery.passed, stages.loki.passed]
    await this.#readSince(passed)
    const sum = async (selector: string) => (await this.#metric(`sum(${selector})`))[0]?.value ?? 0
    const [read, sent, received] = await Promise.all(passed.map(sum))
    return { read: read!, sent: sent!, received: received! }
  }

  /** Waits until Prometheus has read the metrics anew, twice as long as it takes it at most. */
  async #readSince(selectors: string[]): Promise<void> {
    const now = Date.now()
    const old = async (selector: string) => {
      const [oldest] = await this.#metric(`min(timestamp(${selector}))`)
      return !oldest || oldest.value * 1000 < now
    }
    do await sleep(1000)
    while ((await Promise.all(selectors.map(old))).some(Boolean) && Date.now() - now < 2 * this.#scrape)
  }

  /** How many lines Loki has received since it started, at this very moment. */
  async received(): Promise<number> {
    const text = await get(`${this.#loki}/metrics`)
    const lines = text.split('\n').filter(line => line.startsWith('loki_distributor_lines_received_total{'))
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  /** How old the newest event in Loki is, in seconds. */
  async lag(): Promise<number> {
    const now = Date.now()
    const streams = await this.#lines(
      `${everything} | line_format "."`,
      at(now - 600_000),
      at(now + 1000),
      1,
      'backward',
    )
    const newest = Math.max(0, ...streams.flatMap(({ values }) => values.map(([time]) => Number(time) / 1e9)))
    return newest === 0 ? 600 : Math.max(0, now / 1000 - newest)
  }

  /**
   * How many events Loki holds between two instants and up to a minute after them; one that it has taken twice counts twice. Asked for minute by
   * minute: a query of ten would have to hold ten minutes of events at once.
   */
  async count(from: bigint, to: bigint): Promise<number> {
    let total = 0
    for (let start = from - 1n; start < to; start += minute) {
      // Of a range the beginning is left out and the end is in.
      const query = new URLSearchParams({
        query: `sum(count_over_time(${everything}[1m]))`,
        time: String(start + minute),
      })
      const { data } = JSON.parse(await get(`${this.#loki}/loki/api/v1/query?${query}`)) as {
        data: { result: Sample[] }
      }
      total += Number(data.result[0]?.value[1] ?? 0)
    }
    return total
  }

  /** The instant of every event that Loki holds between two, in order and each once; read back slice by slice. */
  async times(from: bigint, to: bigint, eventsPerSecond: number): Promise<BigInt64Array> {
    const found = new Set<bigint>()
    let slice = BigInt(Math.round((0.7 * limit * 1e9) / eventsPerSecond))
    for (let start = from; start < to; ) {
      const end = start + slice < to ? start + slice : to
      // Only when it was: the lines themselves would be gigabytes.
      const streams = await this.#lines(
        `${everything} | line_format "." | keep tetragon_event_type`,
        start,
        end,
        limit,
        'forward',
      )
      const times = streams.flatMap(({ values }) => values.map(([time]) => BigInt(time)))
      if (times.length >= limit) {
        slice /= 2n
        continue
      }
      for (const time of times) found.add(time)
      start = end
    }
    return BigInt64Array.from(found).sort()
  }

  /** The lines that Loki holds between two instants. */
  async lines(from: bigint, to: bigint): Promise<string[]> {
    const streams = await this.#lines(everything, from, to, limit, 'forward')
    return streams.flatMap(({ values }) => values.map(([, line]) => line))
  }

  /** What each pod took in the last seconds, by the name of what runs in it; and the whole machine, of which it is all a part. */
  async cost(seconds: number): Promise<Record<string, Cost>> {
    const only = 'container!="", container!="POD"'
    const [cpu, memory, machine] = await Promise.all([
      this.#metric(`sum by (pod) (rate(container_cpu_usage_seconds_total{${only}}[${seconds}s]))`),
      this.#metric(`sum by (pod) (max_over_time(container_memory_working_set_bytes{${only}}[${seconds}s]))`),
      this.#metric(`sum(rate(node_cpu_seconds_total{mode!~"idle|iowait|steal"}[${seconds}s]))`),
    ])
    const costs: Record<string, Cost> = {}
    const add = (pod: string, cost: Partial<Cost>): void => {
      const part = partOf(pod)
      const { cpu, memory } = costs[part] ?? { cpu: 0, memory: 0 }
      costs[part] = { cpu: cpu + (cost.cpu ?? 0), memory: memory + (cost.memory ?? 0) }
    }
    for (const { labels, value } of cpu) add(labels.pod!, { cpu: value })
    for (const { labels, value } of memory) add(labels.pod!, { memory: value / 1024 ** 2 })
    costs.machine = { cpu: machine[0]?.value ?? 0, memory: 0 }
    return costs
  }

  async #metric(query: string): Promise<{ labels: Record<string, string>; value: number }[]> {
    const { data } = JSON.parse(await get(`${this.#prometheus}/query?${new URLSearchParams({ query })}`)) as {
      data: { result: Sample[] }
    }
    return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }))
  }

  async #lines(
    query: string,
    from: bigint,
    to: bigint,
    limit: number,
    direction: 'forward' | 'backward',
  ): Promise<Stream[]> {
    const parameters = new URLSearchParams({
      query,
      start: String(from),
      end: String(to),
      limit: String(limit),
      direction,
    })
    const { data } = JSON.parse(await get(`${this.#loki}/loki/api/v1/query_range?${parameters}`)) as {
      data: { result: Stream[] }
    }
    return data.result
  }
}

/** What a pod is, in the words of the README's picture. */
function partOf(pod: string): string {
  const parts: [RegExp, string][] = [
    [/^tetragon-replay-/, 'replay'],
    [/^(opentelemetry-collector|fluent-bit)-/, 'shipper'],
    [/^loki-/, 'Loki'],
    [/^(prometheus-kube|kube-prometheus-stack)-/, 'Prometheus'],
    [/^grafana-/, 'Grafana'],
    [/^(frontend|redis|traffic|visitor|leader|follower)/, 'application'],
  ]
  return parts.find(([name]) => name.test(pod))?.[1] ?? 'Kubernetes'
}

const at = (milliseconds: number): bigint => BigInt(milliseconds) * 1_000_000n

async function get(url: string): Promise<string> {
  let answer: Response
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(300_000) })
  } catch (cause) {
    throw new LabError({
      found: `${new URL(url).host} does not answer`,
      expected: 'a lab that is up',
      next: './lab status',
      cause,
    })
  }
  const text = await answer.text()
  if (!answer.ok)
    throw new LabError({
      found: `${new URL(url).host} answers ${answer.status}: ${text.slice(0, 200)}`,
      expected: '200',
      next: './lab logs loki',
    })
  return text
}
