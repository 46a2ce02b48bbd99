import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Player } from '../../../../../stacks/monitoring/replay/player.ts'
import type { RecordedEvent } from '../../../../../stacks/monitoring/replay/recording.ts'
import { recordingFolder } from '../../../../../stacks/monitoring/replay-files.ts'
import {
  isCumulative,
  logFiles,
  parseEvent,
  parseExposition,
  withoutTimes,
  writeSmallRecording,
  writtenLines,
} from '../../../../unit/stacks/monitoring/replay/recorded.ts'

let folder = ''
let events: RecordedEvent[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'player-'))
  events = writeSmallRecording(join(folder, 'recording'))
})
afterEach(() => {
  vi.useRealTimers()
  rmSync(folder, { recursive: true })
})

const useFakeTime = () => vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_800_000_000_000 })

const createPlayer = (eventsPerSecond = 12) =>
  new Player({
    recordingDir: join(folder, 'recording'),
    exportFile: { path: join(folder, 'tetragon.log') },
    eventsPerSecond,
  })
const written = () => writtenLines(folder)
const metricsOf = (player: Player) => parseExposition(player.metricsText())
const exportedTotal = (player: Player) => metricsOf(player).values.get('tetragon_events_exported_total')!
const readState = () => JSON.parse(readFileSync(join(folder, 'replay-state.json'), 'utf8'))

test('names the node on which it runs, in events and metrics', () => {
  useFakeTime()
  const player = new Player({
    recordingDir: join(folder, 'recording'),
    exportFile: { path: join(folder, 'tetragon.log') },
    eventsPerSecond: 12,
    nodeName: 'worker-2',
  })
  player.start()
  player.stop()
  const named = written().filter(line => line.includes('"node_name"'))
  expect(named.length).toBeGreaterThan(0)
  for (const line of named) expect((JSON.parse(line) as { node_name: string }).node_name).toBe('worker-2')
  const labels = [...player.metricsText().matchAll(/node_name="([^"]*)"/g)].map(([, name]) => name)
  expect(new Set(labels)).toEqual(new Set(['worker-2']))
})

test('writes a round of history at once, then plays at its speed', () => {
  useFakeTime()
  const player = createPlayer()
  const { roundMs } = player.schedule
  const startedAt = Date.now()
  player.start()
  expect(player.resumed).toBe(false)
  // The first event of the next round is due at once.
  expect(written()).toHaveLength(events.length + 1)
  const before = metricsOf(player)
  expect(before.faults).toEqual([])

  const dueInHalfRound = player.schedule.dueMs.filter(due => due <= roundMs / 2).length
  vi.advanceTimersByTime(roundMs / 2 + 20)
  expect(Math.abs(written().length - events.length - dueInHalfRound)).toBeLessThanOrEqual(2)
  vi.advanceTimersByTime(1.5 * roundMs)
  player.stop()

  const lines = written()
  const recorded = events.map(event => withoutTimes(event.line.toString()))
  expect(lines.slice(0, 3 * events.length).map(withoutTimes)).toEqual([...recorded, ...recorded, ...recorded])
  const times = lines.map(line => parseEvent(line).time)
  expect(Date.parse(times[0]!)).toBe(Math.floor(startedAt - roundMs))
  expect(Date.parse(times[events.length - 1]!)).toBeLessThan(startedAt)
  expect(Date.parse(times.at(-1)!)).toBeLessThanOrEqual(Date.now())
  expect(times).toEqual([...times].sort())
  expect(readState()).toMatchObject({ written: lines.length })
  const after = metricsOf(player)
  for (const [key, value] of before.values)
    if (isCumulative(before, key)) expect(after.values.get(key), key).toBeGreaterThanOrEqual(value)
})

describe('after a restart', () => {
  test('continues with the next event and the same counters', () => {
    useFakeTime()
    const first = createPlayer()
    first.start()
    vi.advanceTimersByTime(first.schedule.roundMs / 3)
    first.stop()
    const [linesBefore, metricsBefore] = [written().length, metricsOf(first)]
    vi.advanceTimersByTime(300)

    const second = createPlayer()
    expect(second.resumed).toBe(true)
    second.start()
    const metricsAfter = metricsOf(second)
    vi.advanceTimersByTime(second.schedule.roundMs / 3)
    second.stop()

    const lines = written()
    expect(lines.length).toBeGreaterThan(linesBefore)
    expect(lines.length).toBeLessThan(2 * events.length)
    expect(lines.map(withoutTimes)).toEqual(
      [...events, ...events].slice(0, lines.length).map(event => withoutTimes(event.line.toString())),
    )
    for (const key of ['tetragon_events_exported_total', 'process_cpu_seconds_total', 'process_start_time_seconds'])
      expect(metricsAfter.values.get(key)!, key).toBeGreaterThanOrEqual(metricsBefore.values.get(key)!)
    const startTime = 'process_start_time_seconds'
    expect(metricsAfter.values.get(startTime)).toBe(metricsBefore.values.get(startTime))
    expect(exportedTotal(second)).toBeLessThan(2 * 1093)
  })

  test('writes history again if it was away for more than two rounds', () => {
    useFakeTime()
    const first = createPlayer()
    first.start()
    first.stop()
    const before = written().length
    vi.advanceTimersByTime(2 * first.schedule.roundMs + 1)
    const second = createPlayer()
    expect(second.resumed).toBe(false)
    second.start()
    second.stop()
    expect(written()).toHaveLength(2 * before)
  })
})

describe('on a machine that sleeps', () => {
  test.each([
    ['wakes 8 hours later', 8 * 3_600_000],
    ['has its clock set back by 8 hours', -8 * 3_600_000],
  ])('and %s, continues where it was', (_case, jump) => {
    useFakeTime()
    const player = createPlayer()
    const { roundMs } = player.schedule
    player.start()
    vi.advanceTimersByTime(3 * roundMs)
    const [lines, exported] = [written().length, exportedTotal(player)]
    expect(lines).toBeGreaterThanOrEqual(4 * events.length)
    vi.setSystemTime(Date.now() + jump)
    vi.advanceTimersByTime(2_000)
    expect(written().length - lines).toBeLessThan(events.length)
    expect(exportedTotal(player) - exported).toBeGreaterThanOrEqual(0)
    expect(exportedTotal(player) - exported).toBeLessThan(1093)
    vi.advanceTimersByTime(roundMs)
    expect(written().length - lines).toBeGreaterThanOrEqual(events.length)
    player.stop()
    expect(Math.abs(Date.parse(parseEvent(written().at(-1)!).time) - Date.now())).toBeLessThan(roundMs)
  })
})

test('emits an error when a write fails, and keeps playing', () => {
  useFakeTime()
  const player = createPlayer()
  const errors: Error[] = []
  player.on('error', error => errors.push(error))
  player.start()
  const append = vi.spyOn(player.file, 'append').mockImplementation(() => {
    throw new Error('ENOSPC: no space left on device, write')
  })
  vi.advanceTimersByTime(30_000)
  expect(errors.length).toBeGreaterThan(0)
  append.mockRestore()
  const lines = written().length
  vi.advanceTimersByTime(30_000)
  expect(written().length).toBeGreaterThan(lines)
  player.stop()
})

test('limits the size and the number of its files', () => {
  const player = new Player({
    recordingDir: recordingFolder,
    exportFile: { path: join(folder, 'tetragon.log'), maxBytes: 1024 ** 2, maxBackups: 3 },
    eventsPerSecond: 1000,
  })
  // A round is 9 MB.
  player.start()
  player.stop()
  const rotated = logFiles(folder).slice(0, -1)
  expect(rotated).toHaveLength(3)
  for (const name of rotated) {
    expect(statSync(join(folder, name)).size).toBeGreaterThan(0.7 * 1024 ** 2)
    expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(1024 ** 2)
  }
})
