import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { RecordingError, readRecording, Schedule } from '../../../../../stacks/monitoring/replay/recording.ts'
import { shiftTimestamps } from '../../../../../stacks/monitoring/replay/time.ts'
import { countEvents, parseEvent, recordedCounts, recordedEvents, withoutTimes } from './recorded.ts'

const epoch = 1_800_000_000_000
const schedule = new Schedule(recordedEvents, 12)

describe('the schedule', () => {
  test('plays the given number of events per second', () => {
    expect(recordedEvents).toHaveLength(1107)
    expect(schedule.roundMs).toBeCloseTo((1107 / 12) * 1000, 3)
    expect(schedule.speed).toBeCloseTo(11.77, 2)
  })

  test('shortens every pause by the same factor', () => {
    for (let i = 1; i < recordedEvents.length; i += 50) {
      const pause = Number(recordedEvents[i]!.time - recordedEvents[i - 1]!.time) / 1e6
      expect(schedule.dueMs[i]! - schedule.dueMs[i - 1]!).toBeCloseTo(pause / schedule.speed, 3)
    }
  })

  test('starts a round one average pause after the last event of the round before', () => {
    const last = schedule.toPlayedTime(recordedEvents.at(-1)!.time, 0, epoch)
    const next = schedule.toPlayedTime(recordedEvents[0]!.time, 1, epoch)
    const averagePause = Number(schedule.playedNs) / recordedEvents.length
    expect(Number(next - last)).toBeGreaterThan(0)
    expect(Number(next - last)).toBeLessThan(averagePause * 1.01)
  })

  test('rejects a recording without a duration', () => {
    expect(() => new Schedule(recordedEvents.slice(0, 1), 12)).toThrow('fewer than two events')
  })
})

describe('a played round', () => {
  const recorded = recordedEvents.map(event => event.line.toString())
  const played = recorded.map(line => shiftTimestamps(line, ns => schedule.toPlayedTime(ns, 2, epoch)))

  test('contains every recorded event', () => {
    expect(countEvents(played)).toEqual(recordedCounts)
  })

  test('differs from the recording only in timestamps', () => {
    expect(played.map(withoutTimes)).toEqual(recorded.map(withoutTimes))
  })

  test('scales and shifts every timestamp by the same amount', () => {
    const start = epoch + 2 * schedule.roundMs
    const first = Date.parse(parseEvent(recorded[0]!).time)
    const wrong: string[] = []
    let compared = 0
    for (const [index, line] of recorded.entries()) {
      const after = timestampsIn(played[index]!)
      for (const [i, before] of timestampsIn(line).entries()) {
        const early = start + (Date.parse(before) - first) / schedule.speed - Date.parse(after[i]!)
        // A time in whole seconds is rounded down to whole seconds. `Date.parse` drops what is below a millisecond.
        const hasFraction = before.includes('.')
        if (early <= -2 || early >= (hasFraction ? 2 : 1002) || after[i]!.includes('.') !== hasFraction)
          wrong.push(`${before} became ${after[i]}`)
        compared++
      }
    }
    expect(wrong).toEqual([])
    expect(compared).toBeGreaterThan(4 * recorded.length)
  })

  test('is sorted by time and lies within its round', () => {
    const times = played.map(line => parseEvent(line).time)
    expect(times).toEqual([...times].sort())
    expect(Date.parse(times[0]!)).toBe(Math.floor(epoch + 2 * schedule.roundMs))
    expect(Date.parse(times.at(-1)!)).toBeLessThan(epoch + 3 * schedule.roundMs)
  })
})

/** Returns the strings in a JSON document that are timestamps. */
function timestampsIn(line: string): string[] {
  const collect = (value: unknown): string[] => {
    if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value) ? [value] : []
    return typeof value === 'object' && value !== null ? Object.values(value).flatMap(collect) : []
  }
  return collect(JSON.parse(line))
}

describe('reading a recording', () => {
  const event = '{"time":"2026-11-21T09:27:20Z"}\n'
  const nextEvent = '{"time":"2026-11-21T09:27:21Z"}\n'

  test.each<[string, Record<string, Buffer>, RegExp]>([
    ['the file is missing', {}, /^ENOENT.*tetragon\.log\.zst/],
    [
      'there are no events',
      { 'tetragon.log.zst': zstdCompressSync('') },
      /tetragon\.log\.zst: the recording has fewer than two/,
    ],
    [
      'a line is not an event',
      { 'tetragon.log.zst': zstdCompressSync(`${event}{}\n`) },
      /tetragon\.log\.zst: line 2: .* timestamp$/,
    ],
    [
      'the file is truncated',
      { 'tetragon.log.zst': zstdCompressSync(event).subarray(0, -9) },
      /tetragon\.log\.zst: unexpected end/,
    ],
    [
      'there are no samples',
      { 'tetragon.log.zst': zstdCompressSync(event + nextEvent), 'metrics.jsonl.zst': zstdCompressSync('\n') },
      /metrics\.jsonl\.zst: the recording has no metrics$/,
    ],
  ])('names the file when %s', (_case, files, message) => {
    const folder = mkdtempSync(join(tmpdir(), 'recording-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content)
    expect(() => readRecording(folder, 12)).toThrow(RecordingError)
    expect(() => readRecording(folder, 12)).toThrow(message)
  })
})
