import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { curve } from '../../../bench/load/curve.ts'
import { compare, Played, type Stopped } from '../../../bench/load/played.ts'
import { stages } from '../../../bench/load/report.ts'
import type { Run } from '../../../bench/load/run.ts'
import { Player } from '../../../stacks/monitoring/replay/player.ts'
import { parseTime } from '../../../stacks/monitoring/replay/time.ts'

// How the load is counted; that the lab bears it is seen on a lab (test/load).

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'load-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
  vi.useRealTimers()
})

/** What a replay writes in two seconds, and what it notes down. */
function play(eventsPerSecond: number): { lines: string[]; stopped: Stopped } {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_800_000_000_000 })
  const player = new Player({
    recordingDir: resolve('stacks/monitoring/replay/recordings/guestbook'),
    exportFile: { path: join(directory, 'tetragon.log'), maxBackups: 20 },
    eventsPerSecond,
  })
  player.start()
  vi.advanceTimersByTime(2000)
  player.stop()
  const lines = readdirSync(directory)
    .filter(name => name.endsWith('.log'))
    .flatMap(name => readFileSync(join(directory, name), 'utf8').trimEnd().split('\n'))
  return { lines, stopped: JSON.parse(readFileSync(join(directory, 'replay-state.json'), 'utf8')) }
}

describe('what was played', () => {
  it.each([250, 2000])('is known without looking, at %d events a second: when, and byte by byte', rate => {
    const { lines, stopped } = play(rate)
    const played = new Played(stopped, rate)
    expect(played.count).toBe(lines.length)
    expect(lines.length).toBeGreaterThan(1107 + 1.9 * rate)
    expect([...played.times()]).toEqual(
      lines.map(line => parseTime(JSON.parse(line).time)).sort((a, b) => Number(a - b)),
    )
    expect(played.lines(0, played.count).sort()).toEqual(lines.sort())
  })

  it('gives every event an instant of its own', () => {
    const { stopped } = play(2000)
    const times = new Played(stopped, 2000).times()
    expect(new Set(times).size).toBe(times.length)
  })
})

describe('comparing', () => {
  const instants = (...values: number[]) => BigInt64Array.from(values, BigInt)
  it.each([
    ['all there', [1, 2, 3], [1, 2, 3], { missing: 0, unknown: 0 }],
    ['none there', [1, 2, 3], [], { missing: 3, unknown: 0 }],
    ['the first, one in the middle and the last missing', [1, 2, 3, 4, 5], [2, 4], { missing: 3, unknown: 0 }],
    ['others before, between and after', [2, 4], [1, 2, 3, 4, 5, 6], { missing: 0, unknown: 4 }],
    ['two at one instant', [1, 2, 2, 3], [1, 2, 3], { missing: 0, unknown: 0 }],
    ['two at one instant that is not there', [1, 2, 2, 3], [1, 3], { missing: 2, unknown: 0 }],
    ['another in the place of one', [1, 3], [1, 2], { missing: 1, unknown: 1 }],
  ])('%s', (_what, should, is, expected) => {
    expect(compare(instants(...should), instants(...is))).toEqual(expected)
  })
})

const run = (rate: number, otherwise: Partial<Run> = {}): Run => ({
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
  ...otherwise,
})

it('the table says what was lost and what is there twice', () => {
  const table = stages(run(2000, { found: 119_990, lost: 10, twice: 3 }))
  expect(table).toContain('| written to the file by the replay | 120,000 |')
  expect(table).toContain('| **lost** | 10 |')
  expect(table).toContain('| **there twice** | 3 |')
})

it('the curve tells apart what is in time, late, and lost', () => {
  const svg = curve({
    here: [run(4000, { lost: 60_000, arriving: 2500 }), run(1000), run(2000, { lag: 8, arriving: 1900 })],
  })
  expect(
    [...svg.matchAll(/<circle class="(\w+)" cx="[^"]+" cy="[^"]+" r="5"><title>([^<]+)</g)].map(([, ...rest]) => rest),
  ).toEqual([
    ['whole', '1,000 a second: 1 s behind'],
    ['late', '2,000 a second: 8 s behind'],
    ['lost', '4,000 a second: 25 % lost'],
  ])
})
