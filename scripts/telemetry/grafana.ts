import { portForwards } from '../../shared/addresses.ts'
import { LabError } from '../../shared/lab-error.ts'
import { grafanaPassword } from '../../shared/secrets.ts'
import type { Settings } from '../../shared/settings/schema.ts'

/** A series of an answer: its labels and how many values it has. */
export interface Series {
  labels: Record<string, string>
  /** The last value, as a number; of a log line, 1. */
  value: number
  points: number
}

/** Grafana's HTTP API, signed in as the lab's user: what the browser uses. */
export class Grafana {
  readonly #base: string
  readonly #authorization: string
  readonly #next: string

  constructor(settings: Settings) {
    this.#base = `http://127.0.0.1:${settings.ports.grafana}`
    this.#next = settings.cluster.mode === 'existing' ? `${portForwards(settings).grafana} &` : './lab status'
    this.#authorization = `Basic ${Buffer.from(`${settings.grafana.user}:${grafanaPassword(settings)}`).toString('base64')}`
  }

  /** The parsed answer to a request. @throws LabError when Grafana does not answer, or refuses. */
  async get<T>(path: string): Promise<T> {
    let answer: Response
    try {
      answer = await fetch(this.#base + path, {
        headers: { authorization: this.#authorization },
        signal: AbortSignal.timeout(30_000),
      })
    } catch (cause) {
      throw new LabError({
        found: `Grafana does not answer at ${this.#base}`,
        expected: 'a lab that is up',
        next: this.#next,
        cause,
      })
    }
    const text = await answer.text()
    if (!answer.ok)
      throw new LabError({
        found: `Grafana answers ${answer.status} to ${path.slice(0, 120)}: ${text.slice(0, 300)}`,
        expected: '200',
        next: './lab logs grafana',
      })
    return JSON.parse(text) as T
  }

  /** Runs a query of Prometheus through Grafana's data source proxy: once, or over the last minutes. */
  prometheus(expr: string, minutes?: number): Promise<Series[]> {
    const now = Math.floor(Date.now() / 1000)
    const parameters =
      minutes === undefined
        ? new URLSearchParams({ query: expr, time: String(now) })
        : new URLSearchParams({ query: expr, start: String(now - minutes * 60), end: String(now), step: '15' })
    return this.#query(
      `/api/datasources/proxy/uid/prometheus/api/v1/query${minutes === undefined ? '' : '_range'}?${parameters}`,
    )
  }

  /** Runs a query of Loki through Grafana's data source proxy: once, or over the last minutes. */
  loki(expr: string, minutes?: number): Promise<Series[]> {
    const now = BigInt(Date.now()) * 1_000_000n
    const parameters =
      minutes === undefined
        ? new URLSearchParams({ query: expr, time: String(now) })
        : new URLSearchParams({
            query: expr,
            start: String(now - BigInt(minutes) * 60_000_000_000n),
            end: String(now),
            step: '15',
            limit: '20',
          })
    return this.#query(
      `/api/datasources/proxy/uid/loki/loki/api/v1/query${minutes === undefined ? '' : '_range'}?${parameters}`,
    )
  }

  async #query(path: string): Promise<Series[]> {
    const { data } = await this.get<{ data: { resultType: string; result: unknown } }>(path)
    if (data.resultType === 'scalar')
      return [{ labels: {}, value: Number((data.result as [number, string])[1]), points: 1 }]
    return (
      data.result as {
        metric?: Record<string, string>
        stream?: Record<string, string>
        value?: [number, string]
        values?: [number, string][]
      }[]
    ).map(({ metric, stream, value, values }) => {
      const points = values ?? (value ? [value] : [])
      const last = points.at(-1)?.[1]
      return { labels: metric ?? stream ?? {}, value: stream ? 1 : Number(last), points: points.length }
    })
  }
}
