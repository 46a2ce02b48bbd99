import { expect, test } from 'vitest'
import { Metrics } from '../../../../../stacks/monitoring/replay/metrics.ts'
import { Schedule } from '../../../../../stacks/monitoring/replay/recording.ts'
import {
  isCumulative,
  parseExposition,
  recordedEvents,
  recordedSamples,
} from '../../../../unit/stacks/monitoring/replay/recorded.ts'

const schedule = new Schedule(recordedEvents, 12)
const epoch = 1_800_000_000_000
const startedAt = epoch
const textAfter = (metrics: Metrics, rounds: number) =>
  metrics.text({ now: epoch + rounds * schedule.roundMs, epoch, startedAt })
const after = (metrics: Metrics, rounds: number) => parseExposition(textAfter(metrics, rounds))
const recorded = () => new Metrics(recordedSamples, schedule)
const last = parseExposition(recordedSamples.at(-1)!.text)

test('is in the Prometheus text format at any moment', () => {
  const metrics = recorded()
  for (const rounds of [1, 1.05, 1.3, 1.999, 2, 7.7]) expect(after(metrics, rounds).faults).toEqual([])
})

test('never lowers or drops a counter over three rounds', () => {
  const metrics = recorded()
  const decreased: string[] = []
  const vanished: string[] = []
  let before = after(metrics, 1)
  let compared = 0
  for (let rounds = 1; rounds < 4; rounds += 0.0107) {
    const now = after(metrics, rounds)
    for (const [key, value] of before.values) {
      if (!isCumulative(before, key)) continue
      const next = now.values.get(key)
      if (next === undefined) vanished.push(key)
      else if (next < value) decreased.push(`${key} after ${rounds} rounds`)
      compared++
    }
    before = now
  }
  expect({ decreased, vanished }).toEqual({ decreased: [], vanished: [] })
  expect(compared).toBeGreaterThan(100_000)
})

test('starts every counter that the recording increased above zero', () => {
  const start = after(recorded(), 1)
  const zero: string[] = []
  for (const [key, value] of last.values)
    if (isCumulative(last, key) && value > 0 && !start.values.get(key)) zero.push(key)
  expect(zero).toEqual([])
})

test('adds the recorded increase in every round', () => {
  const metrics = recorded()
  const key = 'tetragon_events_exported_total'
  expect(last.values.get(key)).toBe(1093)
  expect(after(metrics, 1).values.get(key)).toBe(1093)
  expect(after(metrics, 2).values.get(key)).toBe(2 * 1093)
  expect(after(metrics, 50).values.get(key)).toBe(50 * 1093)
})

test('returns the values of the latest sample between two samples', () => {
  const index = 30
  const seconds = recordedSamples[index]!.time - Number(schedule.firstEventNs) / 1e9
  const rounds = 1 + (seconds + 0.5) / (Number(schedule.recordedNs) / 1e9)
  const now = after(recorded(), rounds)
  const sample = parseExposition(recordedSamples[index]!.text)
  const times = [
    'process_start_time_seconds',
    'tetragon_events_last_exported_timestamp',
    'go_memstats_last_gc_time_seconds',
  ]
  for (const [key, value] of sample.values) {
    if (times.includes(key)) continue
    if (!isCumulative(sample, key)) expect(now.values.get(key), key).toBe(value)
    else if (Number.isInteger(value)) expect(now.values.get(key), key).toBe(value + last.values.get(key)!)
  }
  expect([...now.types]).toEqual([...last.types])
})

test('keeps names, labels, HELP and TYPE lines as recorded', () => {
  const text = textAfter(recorded(), 2.99)
  const heads = (exposition: string) => exposition.split('\n').filter(line => line.startsWith('#'))
  expect(heads(text)).toEqual(heads(recordedSamples.at(-1)!.text))
  const known = new Set(recordedSamples.flatMap(sample => [...parseExposition(sample.text).values.keys()]))
  expect([...parseExposition(text).values.keys()].filter(key => !known.has(key))).toEqual([])
})

test('moves gauges that hold a time into the present', () => {
  const metrics = recorded()
  for (const rounds of [1.02, 1.5, 2.01, 3.9]) {
    const { values } = after(metrics, rounds)
    const now = (epoch + rounds * schedule.roundMs) / 1000
    const exported = values.get('tetragon_events_last_exported_timestamp')!
    expect(exported).toBeLessThanOrEqual(now)
    expect(exported).toBeGreaterThan(now - 10)
    expect(values.get('process_start_time_seconds')).toBe(startedAt / 1000)
    expect(values.get('go_memstats_last_gc_time_seconds')!).toBeLessThanOrEqual(now)
    expect(values.get('go_memstats_last_gc_time_seconds')!).toBeGreaterThan(now - 60)
  }
})

test('keeps counting when the recorded agent restarts or a series disappears', () => {
  const sample = (seconds: number, lines: string[]) => ({
    time: Number(schedule.firstEventNs) / 1e9 + seconds,
    text: [
      '# HELP hits_total Hits.',
      '# TYPE hits_total counter',
      ...lines,
      '# TYPE level gauge',
      `level ${seconds}`,
      '',
    ].join('\n'),
  })
  const metrics = new Metrics(
    [
      sample(0, ['hits_total{pod="a"} 10']),
      sample(100, ['hits_total{pod="a"} 15', 'hits_total{pod="b"} 3']),
      sample(200, ['hits_total{pod="a"} 2']),
      sample(300, ['hits_total{pod="a"} 4']),
    ],
    schedule,
  )
  const at = (round: number, seconds: number) =>
    Object.fromEntries(after(metrics, round + (seconds + 1) / (Number(schedule.recordedNs) / 1e9)).values)
  const values = (a: number, b: number, level: number) => ({
    'hits_total{pod="a"}': a,
    'hits_total{pod="b"}': b,
    level,
  })
  expect(at(0, 0)).toEqual(values(10, 0, 0))
  expect(at(0, 100)).toEqual(values(15, 3, 100))
  expect(at(0, 200)).toEqual(values(17, 3, 200))
  expect(at(0, 300)).toEqual(values(19, 3, 300))
  expect(at(1, 100)).toEqual(values(34, 6, 100))
})
