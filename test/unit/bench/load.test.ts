import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { compareTimes, ExpectedEvents, type ReplayState } from '../../../bench/load/expected-events.ts'
import type { Run } from '../../../bench/load/load-test.ts'
import { kneeChart, stages } from '../../../bench/load/report.ts'
import { Player } from '../../../stacks/monitoring/replay/player.ts'
import { parseTime } from '../../../stacks/monitoring/replay/time.ts'

// Checks how the load is counted. test/load measures it on a running lab.

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'load-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
  vi.useRealTimers()
})

/** Plays for a while, and returns the lines and the state that the replay wrote. */
function play(eventsPerSecond: number, milliseconds: number): { lines: string[]; state: ReplayState } {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_800_000_000_000 })
  const player = new Player({
    recordingDir: resolve('stacks/monitoring/replay/recordings/guestbook'),
    exportFile: { path: join(directory, 'tetragon.log'), maxBackups: 20 },
    eventsPerSecond,
  })
  player.start()
  vi.advanceTimersByTime(milliseconds)
  player.stop()
  const lines = readdirSync(directory)
    .filter(name => name.endsWith('.log'))
    .flatMap(name => readFileSync(join(directory, name), 'utf8').trimEnd().split('\n'))
  return { lines, state: JSON.parse(readFileSync(join(directory, 'replay-state.json'), 'utf8')) }
}

describe('the expected events', () => {
  it.each([
    [250, 2000],
    [2000, 500],
  ])('equal what was written at %d events per second', (rate, milliseconds) => {
    const { lines, state } = play(rate, milliseconds)
    const expected = new ExpectedEvents(state, rate)
    expect(expected.count).toBe(lines.length)
    expect(lines.length).toBeGreaterThan(1107 + 400)
    expect([...expected.times()]).toEqual(
      lines.map(line => parseTime(JSON.parse(line).time)).sort((a, b) => Number(a - b)),
    )
    expect(expected.lines(0, expected.count).sort()).toEqual(lines.sort())
  })

  it('have different times', () => {
    const times = new ExpectedEvents(
      { epoch: 1_800_000_000_000, startedAt: 1_800_000_000_000, written: 5000 },
      2000,
    ).times()
    expect(new Set(times).size).toBe(5000)
  })
})

describe('comparing times', () => {
  const times = (...values: number[]) => BigInt64Array.from(values, BigInt)
  it.each([
    ['none missing', [1, 2, 3], [1, 2, 3], { missing: 0, unknown: 0 }],
    ['all missing', [1, 2, 3], [], { missing: 3, unknown: 0 }],
    ['the first, a middle one and the last missing', [1, 2, 3, 4, 5], [2, 4], { missing: 3, unknown: 0 }],
    ['unknown ones before, between and after', [2, 4], [1, 2, 3, 4, 5, 6], { missing: 0, unknown: 4 }],
    ['two at the same time, found', [1, 2, 2, 3], [1, 2, 3], { missing: 0, unknown: 0 }],
    ['two at the same time, missing', [1, 2, 2, 3], [1, 3], { missing: 2, unknown: 0 }],
    ['one missing and another unknown', [1, 3], [1, 2], { missing: 1, unknown: 1 }],
  ])('%s', (_case, expected, found, result) => {
    expect(compareTimes(times(...expected), times(...found))).toEqual(result)
  })
})

const run = (rate: number, changes: Partial<Run> = {}): Run => ({
  rate,
  seconds: 60,
  written: rate * 60,
  read: rate * 60,
  sent: rate * 60,
  received: rate * 60,
  counted: rate * 60,
  found: rate * 60,
  lost: 0,
  twice: 0,
  identical: [1000, 1000],
  arriving: rate,
  lag: 0.5,
  worstLag: 1,
  drained: 1,
  cost: { shipper: { cpu: 0.5, memory: 150 }, machine: { cpu: 1.5, memory: 0 } },
  ...changes,
})

it('the table shows lost and duplicated events', () => {
  const table = stages(run(2000, { found: 119_990, lost: 10, twice: 3 }))
  expect(table).toContain('| written to the file by the replay | 120,000 |')
  expect(table).toContain('| **lost** | 10 |')
  expect(table).toContain('| **duplicated** | 3 |')
})

it('the chart shows written and arriving events', () => {
  const chart = kneeChart([run(1000), run(4000, { lost: 60_000, arriving: 2500.4 })])
  expect(chart).toContain('x-axis ["1,000", "4,000"]')
  expect(chart).toContain('y-axis 0 --> 4000')
  expect([...chart.matchAll(/^ {2}line (.+)$/gm)].map(([, line]) => line)).toEqual(['[1000, 4000]', '[1000, 2500]'])
})
