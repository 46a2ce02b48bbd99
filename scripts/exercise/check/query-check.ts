import { isLogQuery, type Sample } from '../../telemetry/query-response.ts'
import type { Logql, Promql } from '../definition/check-schema.ts'
import { describeCondition, meets } from '../definition/condition.ts'
import { type CheckContext, type CheckResult, passIf } from './check-context.ts'

/** Checks the series of a PromQL query. */
export async function checkPromql(check: Promql, { lab, startedAt, now }: CheckContext): Promise<CheckResult> {
  return judgeSamples(check, await lab.promql(fillSince(check.query, { startedAt, now }), now))
}

/** Checks the series of a LogQL metric query, or the number of lines of a log query. */
export async function checkLogql(check: Logql, { lab, startedAt, now }: CheckContext): Promise<CheckResult> {
  return judgeSamples(check, await lab.logql(fillSince(check.query, { startedAt, now }), startedAt, now))
}

/** Replaces `$since` by the time since the exercise was started. */
export const fillSince = (text: string, { startedAt, now }: { startedAt: Date; now: Date }): string =>
  text.replaceAll('$since', `${Math.max(5, Math.ceil((now.getTime() - startedAt.getTime()) / 1000))}s`)

/** Returns a value as a person reads it. */
export const shortNumber = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(3))

function judgeSamples({ query, is, series }: Promql | Logql, samples: Sample[]): CheckResult {
  const lines = isLogQuery(query)
  const counted = lines ? totalOf(samples) : samples.filter(({ value }) => !Number.isNaN(value))
  const matching = counted.filter(({ value }) => meets(is, value)).length
  const inSeries = meets(series, 1) ? '' : ` in ${describeCondition(series)} series`
  return passIf(
    meets(series, matching),
    counted.length === 0 ? 'nothing: the query result is empty' : counted.slice(0, 3).map(describeSample).join(', '),
    lines ? `${describeCondition(is)} lines` : `${describeCondition(is)}${inSeries}`,
  )
}

/** Returns the lines of all streams as one sample. */
function totalOf(streams: Sample[]): Sample[] {
  if (streams.length === 0) return []
  return [{ labels: {}, value: streams.reduce((total, { value }) => total + value, 0) }]
}

function describeSample({ labels, value }: Sample): string {
  const names = Object.values(labels).filter(Boolean).slice(0, 3)
  return names.length > 0 ? `${names.join(' ')}: ${shortNumber(value)}` : shortNumber(value)
}
