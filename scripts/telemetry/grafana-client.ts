import { setTimeout as sleep } from 'node:timers/promises'
import pLimit from 'p-limit'
import { portForwardCommands } from '../../shared/addresses.ts'
import { LabError } from '../../shared/lab-error.ts'
import { dataSources } from '../../shared/names.ts'
import { grafanaPassword } from '../../shared/secrets.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { timeLimit } from '../../shared/time-limit.ts'
import {
  isLogQuery,
  type LogLine,
  parseLogLines,
  parseSamples,
  type QueryResponse,
  type Sample,
} from './query-response.ts'

/** When to evaluate a query. */
export interface QueryTime {
  /** Start of the time range. Left out, the query is evaluated once, at `to`. */
  from?: Date
  /** Now, unless given. */
  to?: Date
  /** The most log lines to return, 20 unless given. */
  limit?: number
}

const paths = {
  prometheus: `/api/datasources/proxy/uid/${dataSources.prometheus}/api/v1`,
  loki: `/api/datasources/proxy/uid/${dataSources.loki}/loki/api/v1`,
}

/** How many requests run at once: a small Grafana closes connections when there are more. */
const concurrency = 4

const maxAttempts = 3
const retryAfterMs = 500

/** A user of Grafana. */
export interface Credentials {
  user: string
  password: string
}

/** How the lab's Grafana is reached. */
export interface GrafanaAccess extends Credentials {
  /** Without a slash at the end. */
  url: string
  /** Command to run when Grafana does not respond. */
  fix: string
}

/** Returns the user of the settings. */
const ownUser = (settings: Settings): Credentials => ({
  user: settings.grafana.user,
  password: grafanaPassword(settings),
})

/** Returns the address of the lab's Grafana, and the user to sign in as. */
export const grafanaAccess = (settings: Settings, credentials = ownUser(settings)): GrafanaAccess => ({
  url: `http://127.0.0.1:${settings.ports.grafana}`,
  ...credentials,
  fix: settings.cluster.mode === 'existing' ? `${portForwardCommands(settings).grafana} &` : './lab status',
})

/**
 * Returns why Grafana shows no pages, or undefined if it does.
 * @throws LabError when Grafana does not respond.
 */
export async function missingFrontEnd({ url, fix }: GrafanaAccess): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/login`, { signal: AbortSignal.timeout(timeLimit(30_000)) })
    const hasPages = (await response.text()).includes('id="reactRoot"')
    return hasPages ? undefined : 'this lab runs a Grafana without a front end'
  } catch (cause) {
    throw new LabError({ found: `Grafana is not responding at ${url}`, next: fix, cause })
  }
}

/** Queries Prometheus and Loki through Grafana's data source proxy, signed in as the lab's user, as a browser would. */
export class GrafanaClient {
  readonly #base: string
  readonly #authorization: string
  readonly #fix: string
  readonly #limit = pLimit(concurrency)

  /** @param credentials those of the settings, unless given. */
  constructor(settings: Settings, credentials?: Credentials) {
    const { url, user, password, fix } = grafanaAccess(settings, credentials)
    this.#base = url
    this.#authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
    this.#fix = fix
  }

  /**
   * Returns the parsed JSON response to a GET request.
   * @throws LabError when Grafana does not respond, or responds with an error.
   */
  async get<T>(path: string): Promise<T> {
    const { response, text } = await this.#limit(() => this.#fetch(path))
    if (!response.ok)
      throw new LabError({
        found: `Grafana responded with ${response.status} to ${path.slice(0, 120)}: ${text.slice(0, 300)}`,
        next: './lab logs grafana',
      })
    return JSON.parse(text) as T
  }

  /** Requests a page, and again where the connection breaks off: Grafana may be busy. */
  async #fetch(path: string): Promise<{ response: Response; text: string }> {
    for (let attempt = 1; ; attempt++) {
      try {
        const response = await fetch(this.#base + path, {
          headers: { authorization: this.#authorization },
          signal: AbortSignal.timeout(timeLimit(30_000)),
        })
        return { response, text: await response.text() }
      } catch (cause) {
        const isRefused = ((cause as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED'
        if (isRefused || attempt === maxAttempts)
          throw new LabError({ found: `Grafana is not responding at ${this.#base}`, next: this.#fix, cause })
        await sleep(retryAfterMs)
      }
    }
  }

  /**
   * Evaluates PromQL or LogQL. A LogQL query for log lines needs a time range, and returns the number of lines by
   * stream.
   * @throws LabError when Grafana does not respond, or the data source rejects the query.
   */
  async query(source: 'prometheus' | 'loki', query: string, time: QueryTime = {}): Promise<Sample[]> {
    return parseSamples(await this.#query(source, query, time))
  }

  /**
   * Returns the newest log lines that a LogQL query selects, the oldest of them first.
   * @throws LabError when Grafana does not respond, or Loki rejects the query.
   */
  async logLines(query: string, time: QueryTime & { from: Date }): Promise<LogLine[]> {
    return parseLogLines(await this.#query('loki', query, time))
  }

  #query(source: 'prometheus' | 'loki', query: string, { from, to = new Date(), limit = 20 }: QueryTime) {
    const timestamp = source === 'loki' ? nanoseconds : seconds
    if (!from) return this.#get(source, 'query', { query, time: timestamp(to) })
    const range = { query, start: timestamp(from), end: timestamp(to) }
    // Loki refuses a range of more than 11,000 steps, even for log lines, which have no steps.
    const lines = source === 'loki' && isLogQuery(query)
    return this.#get(source, 'query_range', { ...range, ...(lines ? { limit: String(limit) } : { step: '15' }) })
  }

  #get(source: 'prometheus' | 'loki', endpoint: string, parameters: Record<string, string>): Promise<QueryResponse> {
    return this.get(`${paths[source]}/${endpoint}?${new URLSearchParams(parameters)}`)
  }
}

const seconds = (date: Date): string => (date.getTime() / 1000).toFixed(3)
const nanoseconds = (date: Date): string => String(BigInt(date.getTime()) * 1_000_000n)
