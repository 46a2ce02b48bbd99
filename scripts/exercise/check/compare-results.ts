import type { Sample } from '../../telemetry/query-response.ts'
import { type CheckResult, fail, pass } from './check-context.ts'
import { shortNumber } from './query-check.ts'

/** Compares the results of two queries by the labels in `by`. */
export function compareResults(wanted: Sample[], given: Sample[], by: string[], tolerance: number): CheckResult {
  const keyOf = ({ labels }: Sample): string => by.map(label => labels[label] ?? '').join(' ')
  const wantedValues = new Map(wanted.map(sample => [keyOf(sample), sample.value]))
  const groups = Map.groupBy(given, keyOf)
  const expected = by.length > 0 ? `one series for each ${by.join(', ')}: ${wantedValues.size} of them` : 'one series'
  if (given.length === 0) return fail('your query returns nothing', expected)

  const repeated = [...groups].find(([, samples]) => samples.length > 1)
  if (repeated) return fail(describeRepeated(...repeated, by), expected)
  const missing = [...wantedValues.keys()].filter(key => !groups.has(key))
  if (missing.length > 0) return fail(`no series for ${firstNames(missing)}`, expected)
  const extra = [...groups.keys()].filter(key => !wantedValues.has(key))
  if (extra.length > 0) return fail(`unexpected series: ${firstNames(extra)}`, expected)

  for (const [key, value] of wantedValues) {
    const actual = groups.get(key)![0]!.value
    if (!(Math.abs(actual - value) <= Math.abs(value) * tolerance))
      return fail(`${shortNumber(actual)} for ${seriesName(key)}`, `about ${shortNumber(value)}`)
  }
  return pass(`${groups.size} series, as expected`, expected)
}

const seriesName = (key: string): string => key.trim() || 'everything'

const firstNames = (keys: string[]): string => keys.slice(0, 3).map(seriesName).join(', ')

function describeRepeated(key: string, samples: Sample[], by: string[]): string {
  const otherLabels = Object.keys(samples[0]!.labels).filter(label => !by.includes(label))
  const reason = otherLabels.length > 0 ? `: they differ in ${otherLabels.slice(0, 4).join(', ')}` : ''
  return `${samples.length} series for ${seriesName(key)}${reason}`
}
