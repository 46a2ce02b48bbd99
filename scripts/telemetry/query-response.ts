/** A response of the query API of Prometheus or Loki. Both use the same format. */
export interface QueryResponse {
  data: {
    resultType: 'vector' | 'scalar' | 'matrix' | 'streams'
    result: unknown
  }
}

/** One series of a query result. */
export interface Sample {
  labels: Record<string, string>
  /** The last value of a series, NaN where it has none. The number of lines of a log stream. */
  value: number
}

/** One log line with its labels and structured metadata. */
export interface LogLine {
  time: Date
  labels: Record<string, string>
  line: string
}

type Point = [time: number | string, value: string]

interface Series {
  metric?: Record<string, string>
  stream?: Record<string, string>
  value?: Point
  values?: Point[]
}

/** Returns one sample for each series or log stream of a response. */
export function parseSamples({ data }: QueryResponse): Sample[] {
  if (data.resultType === 'scalar') return [{ labels: {}, value: Number((data.result as Point)[1]) }]
  return (data.result as Series[]).map(({ metric, stream, value, values }) =>
    stream
      ? { labels: stream, value: values?.length ?? 0 }
      : { labels: metric ?? {}, value: Number((value ?? values?.at(-1))?.[1]) },
  )
}

/** Returns the log lines of a response of Loki, the oldest first. */
export function parseLogLines({ data }: QueryResponse): LogLine[] {
  return (data.result as Required<Pick<Series, 'stream' | 'values'>>[])
    .flatMap(({ stream, values }) =>
      values.map(([nanoseconds, line]) => ({
        time: new Date(Number(BigInt(nanoseconds) / 1_000_000n)),
        labels: stream,
        line,
      })),
    )
    .sort((a, b) => a.time.getTime() - b.time.getTime())
}

/** Returns whether a LogQL query selects log lines. Every other query computes numbers. */
export const isLogQuery = (query: string): boolean => query.trimStart().startsWith('{')
