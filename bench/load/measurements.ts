import { setTimeout as sleep } from 'node:timers/promises'
import { stages } from '../../dashboards/stages.ts'
import { parseSamples, type QueryResponse, type Sample } from '../../scripts/telemetry/query-response.ts'
import { LabError } from '../../shared/lab-error.ts'
import type { Settings } from '../../shared/settings/schema.ts'

const allEvents = '{service_name="tetragon"}'
/** Loki returns at most this many lines per query. */
const maxLines = 5000
const minuteNs = 60_000_000_000n

interface Stream {
  values: [time: string, line: string][]
}

/** Events that have passed each stage since the lab started. */
export interface Counts {
  /** Read from the file by the shipper. */
  read: number
  /** Sent by the shipper. */
  sent: number
  /** Received by Loki. An event that is sent twice counts twice. */
  received: number
}

/** CPU in cores, and the peak of memory in MiB. */
export interface Cost {
  cpu: number
  memory: number
}

/** Measures a lab under load, with queries to Prometheus and Loki. */
export class Measurements {
  readonly #prometheus: string
  readonly #loki: string
  readonly #scrapeIntervalMs: number

  constructor({ ports, prometheus }: Settings) {
    this.#prometheus = `http://127.0.0.1:${ports.prometheus}/api/v1`
    this.#loki = `http://127.0.0.1:${ports.loki}`
    this.#scrapeIntervalMs = Number.parseInt(prometheus.scrapeInterval, 10) * 1000
  }

  /** Returns the counts while the replay is silent, after the next scrape. */
  async counts(): Promise<Counts> {
    const passed = [stages.shipper.passed, stages.delivery.passed, stages.loki.passed]
    await this.#waitForScrape(passed)
    const sum = async (selector: string) => (await this.#promql(`sum(${selector})`))[0]?.value ?? 0
    const [read, sent, received] = await Promise.all(passed.map(sum))
    return { read: read!, sent: sent!, received: received! }
  }

  /** Waits until Prometheus has scraped the metrics, for at most two scrape intervals. */
  async #waitForScrape(selectors: string[]): Promise<void> {
    const startedAt = Date.now()
    const isOld = async (selector: string) => {
      const [oldest] = await this.#promql(`min(timestamp(${selector}))`)
      return !oldest || oldest.value * 1000 < startedAt
    }
    do await sleep(1000)
    while (
      (await Promise.all(selectors.map(isOld))).some(Boolean) &&
      Date.now() - startedAt < 2 * this.#scrapeIntervalMs
    )
  }

  /** Returns how many lines Loki has received since it started, without waiting for a scrape. */
  async received(): Promise<number> {
    const text = await get(`${this.#loki}/metrics`)
    const lines = text.split('\n').filter(line => line.startsWith('loki_distributor_lines_received_total{'))
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  /** Returns the age of the newest event in Loki, in seconds. */
  async lag(): Promise<number> {
    const now = Date.now()
    const query = `${allEvents} | line_format "."`
    const streams = await this.#logql(query, toNs(now - 600_000), toNs(now + 1000), 1, 'backward')
    const newest = Math.max(0, ...streams.flatMap(({ values }) => values.map(([time]) => Number(time) / 1e9)))
    return newest === 0 ? 600 : Math.max(0, now / 1000 - newest)
  }

  /**
   * Returns how many events Loki has between two times, and up to a minute after them. An event stored twice counts
   * twice. Queries one minute at a time, because Loki keeps all events of a query in memory.
   */
  async count(start: bigint, end: bigint): Promise<number> {
    let total = 0
    // A range excludes its start and includes its end.
    for (let from = start - 1n; from < end; from += minuteNs) {
      const query = new URLSearchParams({
        query: `sum(count_over_time(${allEvents}[1m]))`,
        time: String(from + minuteNs),
      })
      const [sample] = parseSamples(await getJson<QueryResponse>(`${this.#loki}/loki/api/v1/query?${query}`))
      total += sample?.value ?? 0
    }
    return total
  }

  /** Returns the times of all events in Loki between two times, sorted and without duplicates. */
  async times(start: bigint, end: bigint, eventsPerSecond: number): Promise<BigInt64Array> {
    // Without the lines, which would be gigabytes.
    const query = `${allEvents} | line_format "." | keep tetragon_event_type`
    const found = new Set<bigint>()
    let slice = BigInt(Math.round((0.7 * maxLines * 1e9) / eventsPerSecond))
    for (let from = start; from < end; ) {
      const to = from + slice < end ? from + slice : end
      const streams = await this.#logql(query, from, to)
      const times = streams.flatMap(({ values }) => values.map(([time]) => BigInt(time)))
      if (times.length >= maxLines) {
        slice /= 2n
        continue
      }
      for (const time of times) found.add(time)
      from = to
    }
    return BigInt64Array.from(found).sort()
  }

  /** Returns the lines in Loki between two times. */
  async lines(start: bigint, end: bigint): Promise<string[]> {
    const streams = await this.#logql(allEvents, start, end)
    return streams.flatMap(({ values }) => values.map(([, line]) => line))
  }

  /** Returns what each part of the lab, and the whole machine, used in the last seconds. */
  async cost(seconds: number): Promise<Record<string, Cost>> {
    const containers = 'container!="", container!="POD"'
    const [cpu, memory, machine] = await Promise.all([
      this.#promql(`sum by (pod) (rate(container_cpu_usage_seconds_total{${containers}}[${seconds}s]))`),
      this.#promql(`sum by (pod) (max_over_time(container_memory_working_set_bytes{${containers}}[${seconds}s]))`),
      this.#promql(`sum(rate(node_cpu_seconds_total{mode!~"idle|iowait|steal"}[${seconds}s]))`),
    ])
    const costs: Record<string, Cost> = {}
    const costOf = ({ labels }: Sample): Cost => (costs[partOf(labels.pod!)] ??= { cpu: 0, memory: 0 })
    for (const sample of cpu) costOf(sample).cpu += sample.value
    for (const sample of memory) costOf(sample).memory += sample.value / 1024 ** 2
    costs.machine = { cpu: machine[0]?.value ?? 0, memory: 0 }
    return costs
  }

  async #promql(query: string): Promise<Sample[]> {
    return parseSamples(await getJson<QueryResponse>(`${this.#prometheus}/query?${new URLSearchParams({ query })}`))
  }

  async #logql(
    query: string,
    start: bigint,
    end: bigint,
    limit = maxLines,
    direction: 'forward' | 'backward' = 'forward',
  ): Promise<Stream[]> {
    const parameters = { query, start: String(start), end: String(end), limit: String(limit), direction }
    const url = `${this.#loki}/loki/api/v1/query_range?${new URLSearchParams(parameters)}`
    return (await getJson<{ data: { result: Stream[] } }>(url)).data.result
  }
}

/** Returns the part of the lab that a Pod belongs to. */
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

const toNs = (milliseconds: number): bigint => BigInt(milliseconds) * 1_000_000n

const getJson = async <T>(url: string): Promise<T> => JSON.parse(await get(url)) as T

async function get(url: string): Promise<string> {
  const { host } = new URL(url)
  let response: Response
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(300_000) })
  } catch (cause) {
    throw new LabError({ found: `${host} does not respond`, expected: 'a running lab', next: './lab status', cause })
  }
  const text = await response.text()
  if (!response.ok)
    throw new LabError({
      found: `${host} responded with ${response.status}: ${text.slice(0, 200)}`,
      next: './lab logs loki',
    })
  return text
}
