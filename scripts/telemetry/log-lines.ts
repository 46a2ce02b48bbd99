import { dataSources } from '../../shared/names.ts'
import { loadContext } from '../context/context.ts'
import { Grafana } from './grafana.ts'

/** One line of a log, with its labels and structured metadata. */
export interface Line {
  time: Date
  labels: Record<string, string>
  line: string
}

/** The newest lines that a LogQL log query finds in a time, oldest of them first. @throws LabError when the query is refused. */
export async function readLines(query: string, from: Date, to: Date, limit: number): Promise<Line[]> {
  const { settings } = await loadContext()
  const parameters = new URLSearchParams({
    query,
    start: String(BigInt(from.getTime()) * 1_000_000n),
    end: String(BigInt(to.getTime()) * 1_000_000n),
    limit: String(limit),
    direction: 'backward',
  })
  const { data } = await new Grafana(settings).get<{
    data: { result: { stream: Record<string, string>; values: [string, string][] }[] }
  }>(`/api/datasources/proxy/uid/${dataSources.loki}/loki/api/v1/query_range?${parameters}`)
  return data.result
    .flatMap(({ stream, values }) =>
      values.map(([time, line]) => ({ time: new Date(Number(BigInt(time) / 1_000_000n)), labels: stream, line })),
    )
    .sort((a, b) => a.time.getTime() - b.time.getTime())
}
