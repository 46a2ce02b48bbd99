import type { Sample, Schedule } from './recording.ts'

interface Series {
  /** Name and labels, as recorded. */
  key: string
  /** Whether it only ever increases: a counter, or the count, sum or bucket of a histogram or summary. */
  cumulative: boolean
  /** One value per sample; undefined where the sample does not have the series. */
  values: (number | undefined)[]
  /** The highest value returned so far, for a cumulative series. */
  highest: number
}

interface Family {
  name: string
  type: string
  /** Its HELP and TYPE lines. */
  head: string[]
  series: Map<string, Series>
}

/** The moment for which metrics are returned. */
export interface Moment {
  /** Milliseconds since 1970. */
  now: number
  /** Start of round 0, in milliseconds since 1970. */
  epoch: number
  /** What process_start_time_seconds reports, in milliseconds since 1970. */
  startedAt: number
}

/** Where a moment is in the recording. */
interface Position extends Moment {
  round: number
  /** Recorded seconds since the first event. */
  seconds: number
  /** Index of the latest sample, -1 before the first. */
  sample: number
}

/**
 * The recorded samples as metrics that keep growing: each round adds to a counter what the recorded run added to it.
 */
export class Metrics {
  readonly #families = new Map<string, Family>()
  /** Seconds from the first event to each sample. */
  readonly #times: number[]
  readonly #schedule: Schedule

  /** @param samples sorted by time */
  constructor(samples: readonly Sample[], schedule: Schedule) {
    this.#schedule = schedule
    this.#times = samples.map(({ time }) => time - Number(schedule.firstEventNs) / 1e9)
    for (const [index, { text }] of samples.entries()) this.#addSample(text, index)
    for (const { series } of this.#families.values())
      for (const { cumulative, values } of series.values()) if (cumulative) accumulate(values, samples.length)
  }

  #addSample(text: string, index: number): void {
    let help: string[] = []
    let family: Family | undefined
    for (const line of text.split('\n')) {
      if (line.startsWith('# HELP ')) {
        help = [line]
      } else if (line.startsWith('# TYPE ')) {
        const [, , name = '', type = ''] = line.split(' ')
        family = getOrCreate(this.#families, name, () => ({ name, type, head: [...help, line], series: new Map() }))
        help = []
      } else if (line !== '' && family) {
        const space = line.lastIndexOf(' ')
        addValue(family, line.slice(0, space), index, parseNumber(line.slice(space + 1)))
      }
    }
  }

  /** Returns what /metrics answers at a moment, in the Prometheus text format. */
  text(moment: Moment): string {
    const { round, seconds } = this.#schedule.position(moment.now, moment.epoch)
    const sample = this.#times.findLastIndex(time => time <= seconds)
    const position: Position = { ...moment, round, seconds, sample }
    const lines: string[] = []
    for (const family of this.#families.values()) {
      const body: string[] = []
      for (const series of family.series.values()) {
        const value = series.cumulative
          ? this.#cumulativeValue(series, position)
          : this.#gaugeValue(family.name, series.values[Math.max(sample, 0)], position)
        if (value !== undefined) body.push(`${series.key} ${formatNumber(value)}`)
      }
      if (body.length > 0) lines.push(...family.head, ...body)
    }
    return lines.join('\n') + '\n'
  }

  #cumulativeValue(series: Series, { round, seconds, sample }: Position): number {
    const { values } = series
    const first = values[0] ?? 0
    // The agent started with the recording, some time before the first sample: until then, grow evenly from zero.
    const beforeFirst = first * Math.max(0, seconds / (this.#times[0] ?? 1))
    const inRound =
      sample >= 0 ? (values[sample] ?? 0) : Number.isInteger(first) ? Math.floor(beforeFirst) : beforeFirst
    // Rounding errors can make a sum of fractions smaller by its last bit, which Prometheus would read as a counter
    // reset.
    series.highest = Math.max(series.highest, round * (values.at(-1) ?? 0) + inRound)
    return series.highest
  }

  /** Moves a gauge that holds a time into the present. Other gauges keep their recorded value. */
  #gaugeValue(
    name: string,
    recorded: number | undefined,
    { now, epoch, startedAt, round, seconds }: Position,
  ): number | undefined {
    if (recorded === undefined) return undefined
    if (name === 'process_start_time_seconds') return Math.round(startedAt / 10) / 100
    if (name === 'tetragon_events_last_exported_timestamp') {
      const playedMs = (seconds * 1000) / this.#schedule.speed
      const last = this.#schedule.dueMs.findLast(due => due <= playedMs) ?? 0
      return Math.floor((epoch + round * this.#schedule.roundMs + last) / 1000)
    }
    if (/_(timestamp|time)(_seconds)?$/.test(name) && recorded > 1e9 && recorded < 1e11) {
      const played = this.#schedule.toPlayedTime(BigInt(Math.round(recorded * 1e9)), round, epoch)
      return Math.min(Number(played) / 1e9, now / 1000)
    }
    return recorded
  }
}

function addValue(family: Family, key: string, index: number, value: number): void {
  const name = key.split('{', 1)[0]
  const cumulative = family.type === 'counter' || (/^(histogram|summary)$/.test(family.type) && name !== family.name)
  const series = getOrCreate(family.series, key, () => ({ key, cumulative, values: [], highest: 0 }))
  series.values[index] = value
}

function getOrCreate<T>(map: Map<string, T>, key: string, create: () => T): T {
  const existing = map.get(key)
  if (existing) return existing
  const created = create()
  map.set(key, created)
  return created
}

/**
 * Replaces the values of a counter with what it counted since the start of the recording: zero before it first appears,
 * its last value after it disappears (its policy was removed), and the sum of both runs if the agent restarted.
 */
function accumulate(values: (number | undefined)[], sampleCount: number): void {
  let base = 0
  let previous = 0
  for (let i = 0; i < sampleCount; i++) {
    const value = values[i]
    if (value !== undefined) {
      if (value < previous) base += previous
      previous = value
    }
    values[i] = base + previous
  }
}

const parseNumber = (text: string): number => Number(text.replace('Inf', 'Infinity'))

const formatNumber = (value: number): string =>
  value === Number.POSITIVE_INFINITY ? '+Inf' : value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)
