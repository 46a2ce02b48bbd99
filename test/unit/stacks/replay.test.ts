import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  ExportFile,
  formatTime,
  freshen,
  Metrics,
  Player,
  parseEvents,
  parseSamples,
  parseTime,
  readOptions,
  readRecording,
  Tempo,
} from '../../../stacks/monitoring/replay/replay.mjs'

const program = resolve('stacks/monitoring/replay/replay.mjs')
const recording = resolve('stacks/monitoring/replay/recordings/guestbook')
const logBytes = gunzipSync(readFileSync(join(recording, 'tetragon.log.gz')))
const recorded = logBytes.toString('utf8').trimEnd().split('\n')
const samples = [...parseSamples(gunzipSync(readFileSync(join(recording, 'metrics.jsonl.gz'))))]

type Json = { [key: string]: Json } | Json[] | string | number | boolean | null
interface TetragonEvent {
  time: string
  process_exec?: unknown
  process_exit?: unknown
  process_kprobe?: { policy_name: string }
}
const parse = (line: string): TetragonEvent => JSON.parse(line)

/** The document with every timestamp taken out, and the timestamps. */
function split(line: string): { rest: Json; times: string[] } {
  const times: string[] = []
  const rest = JSON.parse(line, (_key, value: Json) => {
    if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/.test(value)) return value
    times.push(value)
    return '<time>'
  })
  return { rest, times }
}

function tally(lines: string[]): { types: Record<string, number>; policies: Record<string, number> } {
  const types: Record<string, number> = {}
  const policies: Record<string, number> = {}
  for (const line of lines) {
    const event = parse(line)
    const type = Object.keys(event)[0]!
    types[type] = (types[type] ?? 0) + 1
    const policy = event.process_kprobe?.policy_name
    if (policy) policies[policy] = (policies[policy] ?? 0) + 1
  }
  return { types, policies }
}

const golden = {
  types: { process_kprobe: 916, process_exit: 138, process_exec: 53 },
  policies: {
    'tcp-connect': 712,
    'sys-openat': 165,
    'sensitive-file-access': 32,
    'unexpected-process-exec': 3,
    'block-service-account-token': 2,
    'deny-shadow': 2,
  },
}

/** Every series of an exposition, and what is wrong with its form. */
function parseExposition(text: string): {
  values: Map<string, number>
  types: Map<string, string>
  familyOf: Map<string, string>
  faults: string[]
} {
  const values = new Map<string, number>()
  const types = new Map<string, string>()
  const familyOf = new Map<string, string>()
  const faults: string[] = []
  let family = ''
  if (!text.endsWith('\n')) faults.push('no newline at the end')
  for (const line of text.slice(0, -1).split('\n')) {
    const help = /^# HELP ([a-zA-Z_:][\w:]*) /.exec(line)
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line)
    const sample =
      /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? ([+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/.exec(
        line,
      )
    if (help) continue
    if (type) {
      family = type[1]!
      if (types.has(family)) faults.push(`${family} is described twice`)
      types.set(family, type[2]!)
    } else if (sample) {
      const key = `${sample[1]}${sample[2] ?? ''}`
      const suffixes = types.get(family) === 'histogram' ? ['_bucket', '_sum', '_count'] : ['', '_sum', '_count']
      if (!suffixes.some(suffix => sample[1] === family + suffix)) faults.push(`${key} stands under ${family}`)
      if (values.has(key)) faults.push(`${key} is there twice`)
      values.set(key, Number(sample[3]!.replace('Inf', 'Infinity')))
      familyOf.set(key, family)
    } else faults.push(line)
  }
  return { values, types, familyOf, faults }
}

const grows = (exposition: ReturnType<typeof parseExposition>, key: string): boolean => {
  const type = exposition.types.get(exposition.familyOf.get(key)!)
  return type === 'counter' || type === 'histogram' || (type === 'summary' && !key.includes('quantile='))
}

describe('timestamps', () => {
  test('are read and written with nanoseconds, in as few digits as protobuf does', () => {
    for (const text of [
      '2026-11-21T09:27:20.957577185Z',
      '2026-11-21T09:30:16.109578Z',
      '2026-11-21T09:30:16.100Z',
      '2026-11-21T09:28:10Z',
      '1969-12-31T23:59:59.999999999Z',
    ])
      expect(formatTime(parseTime(text))).toBe(text)
    expect(parseTime('1970-01-01T00:00:01.000000001Z')).toBe(1_000_000_001n)
  })

  test('in text that only mentions one are left alone', () => {
    const line = '{"process_exec":{"arguments":"--since=2026-11-21T09:27:20Z \\"time\\":\\"2026-11-21T09:27:20Z\\""}}'
    expect(freshen(line, ns => ns + 1n)).toBe(line)
  })
})

describe('tempo', () => {
  const events = parseEvents(logBytes)
  const tempo = new Tempo(events, 12)

  test('plays as many events a second as asked for', () => {
    expect(events).toHaveLength(1107)
    expect(tempo.length).toBeCloseTo((1107 / 12) * 1000, 3)
    expect(tempo.speed).toBeCloseTo(11.77, 2)
  })

  test('keeps the rhythm: pauses are shorter by one factor', () => {
    for (let i = 1; i < events.length; i += 50) {
      const pause = Number(events[i]!.time - events[i - 1]!.time) / 1e6
      expect(tempo.due[i]! - tempo.due[i - 1]!).toBeCloseTo(pause / tempo.speed, 3)
    }
  })

  test('one round follows the other without overlap or pause', () => {
    const epoch = 1_800_000_000_000
    const last = tempo.map(events.at(-1)!.time, 0, epoch)
    const next = tempo.map(events[0]!.time, 1, epoch)
    const average = Number(tempo.playedNs) / events.length
    expect(Number(next - last)).toBeGreaterThan(0)
    expect(Number(next - last)).toBeLessThan(average * 1.01)
  })

  test('refuses a recording that has no duration', () => {
    expect(() => new Tempo(events.slice(0, 1), 12)).toThrow('fewer than two events')
  })
})

describe('lines', () => {
  const events = parseEvents(logBytes)
  const tempo = new Tempo(events, 12)
  const epoch = 1_800_000_000_000
  const played = events.map(event => freshen(event.line.toString(), ns => tempo.map(ns, 2, epoch)))

  test('one round holds what was recorded', () => {
    expect(tally(played)).toEqual(golden)
  })

  test('are the recorded ones but for their timestamps, and those are one affine map', () => {
    const start = epoch + 2 * tempo.length
    const first = Date.parse(parse(events[0]!.line.toString()).time)
    let times = 0
    for (const [i, event] of events.entries()) {
      const before = split(event.line.toString())
      const after = split(played[i]!)
      expect(after.rest).toEqual(before.rest)
      for (const [j, was] of before.times.entries()) {
        const is = after.times[j]!
        const expected = start + (Date.parse(was) - first) / tempo.speed
        // a time in whole seconds stays one, so it may be a second early; Date.parse drops what is below a millisecond
        const early = expected - Date.parse(is)
        expect(early).toBeGreaterThan(-2)
        expect(early).toBeLessThan(was.includes('.') ? 2 : 1002)
        expect(is.includes('.'), `${was} became ${is}`).toBe(was.includes('.'))
        times++
      }
    }
    expect(times).toBeGreaterThan(4 * events.length)
  })

  test('differ from the recorded text in timestamps only', () => {
    const blank = (line: string) => line.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    for (const [i, event] of events.entries()) expect(blank(played[i]!)).toBe(blank(event.line.toString()))
  })

  test('are in the order of their times, in the present', () => {
    const times = played.map(line => parse(line).time)
    expect(times).toEqual([...times].sort())
    expect(Date.parse(times[0]!)).toBe(Math.floor(epoch + 2 * tempo.length))
    expect(Date.parse(times.at(-1)!)).toBeLessThan(epoch + 3 * tempo.length)
  })
})

describe('metrics', () => {
  const { tempo } = readRecording(recording, 12)
  const epoch = 1_800_000_000_000
  const startedAt = epoch
  const at = (metrics: Metrics, rounds: number) =>
    parseExposition(metrics.text({ now: epoch + rounds * tempo.length, epoch, startedAt }))
  const last = parseExposition(samples.at(-1)!.text)

  test('are a valid exposition at any moment', () => {
    const metrics = new Metrics(samples, tempo)
    for (const rounds of [1, 1.05, 1.3, 1.999, 2, 7.7]) expect(at(metrics, rounds).faults).toEqual([])
  })

  test('never decrease over three rounds, scrape after scrape, where they are counters', () => {
    const metrics = new Metrics(samples, tempo)
    const decreased: string[] = []
    const vanished: string[] = []
    let before = at(metrics, 1)
    let compared = 0
    for (let rounds = 1; rounds < 4; rounds += 0.0107) {
      const after = at(metrics, rounds)
      for (const [key, value] of before.values) {
        if (!grows(before, key)) continue
        const now = after.values.get(key)
        if (now === undefined) vanished.push(key)
        else if (now < value) decreased.push(`${key} at ${rounds}`)
        compared++
      }
      before = after
    }
    expect({ decreased, vanished }).toEqual({ decreased: [], vanished: [] })
    expect(compared).toBeGreaterThan(100_000)
  })

  test('are above zero from the start, for every counter that ever counted', () => {
    const start = at(new Metrics(samples, tempo), 1)
    const idle: string[] = []
    for (const [key, value] of last.values) if (grows(last, key) && value > 0 && !start.values.get(key)) idle.push(key)
    expect(idle).toEqual([])
  })

  test('add in each round what the recorded run had added', () => {
    const metrics = new Metrics(samples, tempo)
    const key = 'tetragon_events_exported_total'
    expect(last.values.get(key)).toBe(1093)
    expect(at(metrics, 1).values.get(key)).toBe(1093)
    expect(at(metrics, 2).values.get(key)).toBe(2 * 1093)
    expect(at(metrics, 50).values.get(key)).toBe(50 * 1093)
  })

  test('are those of the newest sample in between', () => {
    const index = 30
    const since = samples[index]!.time - Number(tempo.first) / 1e9
    const rounds = 1 + (since + 0.5) / (Number(tempo.recordedNs) / 1e9)
    const now = at(new Metrics(samples, tempo), rounds)
    const then = parseExposition(samples[index]!.text)
    const clocks = [
      'process_start_time_seconds',
      'tetragon_events_last_exported_timestamp',
      'go_memstats_last_gc_time_seconds',
    ]
    for (const [key, value] of then.values) {
      if (clocks.includes(key)) continue
      if (!grows(then, key)) expect(now.values.get(key), key).toBe(value)
      else if (Number.isInteger(value)) expect(now.values.get(key), key).toBe(value + last.values.get(key)!)
    }
    expect([...now.types]).toEqual([...parseExposition(samples.at(-1)!.text).types])
  })

  test('keep names, labels, HELP and TYPE as recorded', () => {
    const text = new Metrics(samples, tempo).text({ now: epoch + 2.99 * tempo.length, epoch, startedAt })
    const heads = (exposition: string) => exposition.split('\n').filter(line => line.startsWith('#'))
    expect(heads(text)).toEqual(heads(samples.at(-1)!.text))
    const known = new Set(samples.flatMap(sample => [...parseExposition(sample.text).values.keys()]))
    for (const key of parseExposition(text).values.keys()) expect(known).toContain(key)
  })

  test('hold fresh times', () => {
    const metrics = new Metrics(samples, tempo)
    for (const rounds of [1.02, 1.5, 2.01, 3.9]) {
      const { values } = at(metrics, rounds)
      const now = (epoch + rounds * tempo.length) / 1000
      const exported = values.get('tetragon_events_last_exported_timestamp')!
      expect(exported).toBeLessThanOrEqual(now)
      expect(exported).toBeGreaterThan(now - 10)
      expect(values.get('process_start_time_seconds')).toBe(startedAt / 1000)
      expect(values.get('go_memstats_last_gc_time_seconds')!).toBeLessThanOrEqual(now)
      expect(values.get('go_memstats_last_gc_time_seconds')!).toBeGreaterThan(now - 60)
    }
  })

  test('survive an agent that was started anew, and series that come and go', () => {
    const sample = (seconds: number, lines: string[]) => ({
      time: Number(tempo.first) / 1e9 + seconds,
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
      tempo,
    )
    const seconds = (rounds: number, time: number) =>
      at(metrics, rounds + (time + 1) / (Number(tempo.recordedNs) / 1e9)).values
    expect(seconds(0, 0)).toEqual(
      new Map([
        ['hits_total{pod="a"}', 10],
        ['hits_total{pod="b"}', 0],
        ['level', 0],
      ]),
    )
    expect(seconds(0, 100)).toEqual(
      new Map([
        ['hits_total{pod="a"}', 15],
        ['hits_total{pod="b"}', 3],
        ['level', 100],
      ]),
    )
    expect(seconds(0, 200)).toEqual(
      new Map([
        ['hits_total{pod="a"}', 17],
        ['hits_total{pod="b"}', 3],
        ['level', 200],
      ]),
    )
    expect(seconds(0, 300)).toEqual(
      new Map([
        ['hits_total{pod="a"}', 19],
        ['hits_total{pod="b"}', 3],
        ['level', 300],
      ]),
    )
    expect(seconds(1, 100)).toEqual(
      new Map([
        ['hits_total{pod="a"}', 34],
        ['hits_total{pod="b"}', 6],
        ['level', 100],
      ]),
    )
  })
})

test('program and recording fit into one ConfigMap', () => {
  const files = [program, ...['tetragon.log.gz', 'metrics.jsonl.gz'].map(name => join(recording, name))]
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0)
  expect(bytes).toBeLessThan(1024 * 1024)
})

describe('options', () => {
  test('have the defaults of Tetragon', () => {
    expect(readOptions({})).toMatchObject({
      exportFile: '/var/log/tetragon/tetragon.log',
      exportFilePerm: 0o600,
      exportFileMaxBytes: 10 * 1024 ** 2,
      exportFileMaxBackups: 5,
      eventsPerSecond: 12,
      metricsPort: 2112,
    })
  })

  test('that are wrong are named', () => {
    expect(() => readOptions({ EVENTS_PER_SECOND: 'fast' })).toThrow('EVENTS_PER_SECOND is "fast"')
    expect(() => readOptions({ METRICS_PORT: '70000' })).toThrow('METRICS_PORT')
    expect(() => readOptions({ EXPORT_FILE_PERM: 'rw' })).toThrow('EXPORT_FILE_PERM')
    expect(() => readOptions({ EXPORT_FILE_MAX_SIZE_MB: '0' })).toThrow('EXPORT_FILE_MAX_SIZE_MB is "0"')
    expect(() => readOptions({ EXPORT_FILE_MAX_BACKUPS: 'all' })).toThrow('EXPORT_FILE_MAX_BACKUPS is "all"')
  })
})

let directory = ''
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'replay-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true })
})

/** Every line in the order of writing, from the rotated files and the current one. */
const written = () =>
  readdirSync(directory)
    .filter(name => name.endsWith('.log'))
    .sort((a, b) => (a === 'tetragon.log' ? 1 : b === 'tetragon.log' ? -1 : a < b ? -1 : 1))
    .flatMap(name => readFileSync(join(directory, name), 'utf8').trimEnd().split('\n'))

describe('export file', () => {
  test('rotates before it outgrows its limit, in whole lines, and keeps the newest', async () => {
    const path = join(directory, 'tetragon.log')
    const file = new ExportFile({ path, maxBytes: 1000, keep: 2, mode: 0o640 })
    for (let i = 0; i < 50; i++) {
      file.append([`{"line":${i},"fill":"${'x'.repeat(80)}"}`])
      await new Promise(done => setTimeout(done, 2))
    }
    file.close()
    const names = readdirSync(directory).sort()
    expect(names).toHaveLength(3)
    expect(names.at(-1)).toBe('tetragon.log')
    for (const name of names.slice(0, -1)) expect(name).toMatch(/^tetragon-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log$/)
    const kept = names.flatMap(name => {
      expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(1000)
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o640)
      const text = readFileSync(join(directory, name), 'utf8')
      expect(text.endsWith('\n')).toBe(true)
      return text
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line).line as number)
    })
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, i) => 50 - kept.length + i))
  })

  test('goes on in a file that is there', () => {
    const path = join(directory, 'tetragon.log')
    writeFileSync(path, '{"old":1}\n')
    const file = new ExportFile({ path })
    file.append(['{"new":1}'])
    file.close()
    expect(readFileSync(path, 'utf8')).toBe('{"old":1}\n{"new":1}\n')
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })
})

describe('a machine that sleeps', () => {
  const exportFile = () => join(directory, 'tetragon.log')
  const play = () =>
    new Player({
      recordingDir: recording,
      exportFile: exportFile(),
      exportFilePerm: 0o600,
      eventsPerSecond: 12,
      metricsPort: 0,
    })
  const exported = (player: Player) =>
    parseExposition(player.metricsText()).values.get('tetragon_events_exported_total')!

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'], now: 1_800_000_000_000 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test.each([
    ['wakes hours later', 8 * 3_600_000],
    ['has its clock set back', -8 * 3_600_000],
  ])('and %s goes on where it was', (_what, leap) => {
    const player = play()
    player.start()
    vi.advanceTimersByTime(60_000)
    const [lines, counted] = [written().length, exported(player)]
    expect(lines).toBeGreaterThan(recorded.length + 200)
    vi.setSystemTime(Date.now() + leap)
    vi.advanceTimersByTime(2_000)
    expect(written().length - lines).toBeLessThan(150)
    expect(exported(player) - counted).toBeGreaterThanOrEqual(0)
    expect(exported(player) - counted).toBeLessThan(150)
    vi.advanceTimersByTime(player.tempo.length)
    expect(written().length - lines).toBeGreaterThanOrEqual(recorded.length)
    player.stop()
    expect(Math.abs(Date.parse(parse(written().at(-1)!).time) - Date.now())).toBeLessThan(5_000)
  })

  test('plays on when a write fails, and says so', () => {
    const player = play()
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
})

describe('the program', () => {
  let child: ChildProcess | undefined
  afterEach(() => {
    child?.kill('SIGKILL')
  })

  interface Running {
    url: string
    said: string
    stop: () => Promise<number | null>
  }

  async function start(env: Record<string, string>): Promise<Running> {
    const process = spawn(globalThis.process.execPath, [program], {
      env: { EXPORT_FILE: join(directory, 'tetragon.log'), METRICS_PORT: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child = process
    let said = ''
    process.stderr.on('data', chunk => (said += chunk))
    const port = await new Promise<string>((done, fail) => {
      process.stdout.on('data', chunk => {
        said += chunk
        const found = /metrics on :(\d+)/.exec(said)
        if (found) done(found[1]!)
      })
      process.once('exit', code => fail(new Error(`ended with ${code}: ${said}`)))
    })
    return {
      url: `http://127.0.0.1:${port}`,
      said,
      stop: async () => {
        const ended = once(process, 'exit')
        process.kill('SIGTERM')
        const [code] = await ended
        return code
      },
    }
  }

  const sleep = (ms: number) => new Promise(done => setTimeout(done, ms))

  async function until(what: string, holds: () => boolean, ms = 10_000): Promise<void> {
    for (const end = Date.now() + ms; !holds(); await sleep(25))
      if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`)
  }

  test('writes a round of history at once, then plays on at its speed', { timeout: 20_000 }, async () => {
    const began = Date.now()
    const replay = await start({ EVENTS_PER_SECOND: '1000' })
    await until('history', () => written().length >= recorded.length)
    const first = await fetch(`${replay.url}/metrics`)
    expect(first.headers.get('content-type')).toContain('text/plain; version=0.0.4')
    const before = parseExposition(await first.text())
    expect(before.faults).toEqual([])
    expect((await fetch(`${replay.url}/healthz`)).status).toBe(200)
    expect((await fetch(`${replay.url}/nothing`)).status).toBe(404)
    await until('two more rounds', () => written().length >= 3 * recorded.length, 15_000)
    const took = Date.now() - began
    const after = parseExposition(await (await fetch(`${replay.url}/metrics`)).text())
    expect(await replay.stop()).toBe(0)

    const lines = written()
    expect(tally(lines.slice(0, recorded.length))).toEqual(golden)
    expect(tally(lines.slice(recorded.length, 2 * recorded.length))).toEqual(golden)
    const times = lines.map(line => parse(line).time)
    const length = recorded.length
    expect(Date.parse(times[0]!)).toBeGreaterThan(began - length - 100)
    expect(Date.parse(times[recorded.length - 1]!)).toBeLessThan(began + 2000)
    expect(Date.parse(times.at(-1)!)).toBeLessThanOrEqual(Date.now())
    for (let i = 1; i < times.length; i++) expect(parseTime(times[i]!) >= parseTime(times[i - 1]!)).toBe(true)
    // two rounds of 1.1 s were played in time, not written at once
    expect(took).toBeGreaterThan(2 * length - 100)
    for (const [key, value] of before.values)
      if (grows(before, key)) expect(after.values.get(key), key).toBeGreaterThanOrEqual(value)
    expect(after.values.get('tetragon_events_exported_total')!).toBeGreaterThanOrEqual(3 * 1093)
    // what it counted is what is there
    expect(JSON.parse(readFileSync(join(directory, 'replay-state.json'), 'utf8'))).toMatchObject({
      written: lines.length,
    })
    // 3 rounds of 9 MB: rotated as they were written
    expect(readdirSync(directory).filter(name => /^tetragon-.*\.log$/.test(name)).length).toBeGreaterThanOrEqual(2)
  })

  test('goes on where it was after a restart, without a second history', { timeout: 20_000 }, async () => {
    const first = await start({ EVENTS_PER_SECOND: '100' })
    await until('history and some more', () => written().length >= recorded.length + 20)
    const total = async (running: Running) =>
      parseExposition(await (await fetch(`${running.url}/metrics`)).text()).values
    const before = await total(first)
    expect(await first.stop()).toBe(0)
    const stopped = written().length
    await sleep(300)
    const second = await start({ EVENTS_PER_SECOND: '100' })
    expect(second.said).toContain('resumed')
    const after = await total(second)
    await until('more events', () => written().length >= stopped + 20)
    expect(await second.stop()).toBe(0)
    const lines = written()
    expect(lines.length).toBeLessThan(stopped + 300)
    const names = lines.slice(0, recorded.length + 20)
    expect(tally(names.slice(0, recorded.length))).toEqual(golden)
    // the event after the last one before the restart is the next in the recording
    const ordered = parseEvents(logBytes).map(event => split(event.line.toString()).rest)
    const next = split(lines[stopped]!).rest
    const near = ordered.slice(stopped - recorded.length - 1, stopped - recorded.length + 2)
    expect(near).toContainEqual(next)
    for (const key of ['tetragon_events_exported_total', 'process_cpu_seconds_total', 'process_start_time_seconds'])
      expect(after.get(key)!, key).toBeGreaterThanOrEqual(before.get(key)!)
    expect(after.get('process_start_time_seconds')).toBe(before.get('process_start_time_seconds'))
    expect(after.get('tetragon_events_exported_total')!).toBeLessThan(1.3 * 1093)
  })

  test('fills files of the size that it is told, and keeps as many', { timeout: 20_000 }, async () => {
    const limits = { EXPORT_FILE_MAX_SIZE_MB: '1', EXPORT_FILE_MAX_BACKUPS: '3' }
    const replay = await start({ EVENTS_PER_SECOND: '2000', ...limits })
    const full = () => readdirSync(directory).filter(name => /^tetragon-.*\.log$/.test(name))
    // a round is 9 MB
    await until('three full files', () => full().length === 3)
    expect(await replay.stop()).toBe(0)
    for (const name of full()) expect(statSync(join(directory, name)).size).toBeGreaterThan(0.7 * 1024 ** 2)
    for (const name of full()) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(1024 ** 2)
  })

  test('begins with history again when it was away for long', { timeout: 20_000 }, async () => {
    const first = await start({ EVENTS_PER_SECOND: '1000' })
    await until('history', () => written().length >= recorded.length)
    await first.stop()
    const stopped = written().length
    const past = new Date(Date.now() - 60_000)
    utimesSync(join(directory, 'replay-state.json'), past, past)
    const second = await start({ EVENTS_PER_SECOND: '1000' })
    expect(second.said).toContain('history')
    await until('a second history', () => written().length >= stopped + recorded.length, 900)
    await second.stop()
  })

  test('says in one line what is missing', async () => {
    await expect(start({ RECORDING_DIR: directory })).rejects.toThrow(
      /ended with 1: replay: ENOENT.*tetragon\.log\.gz.*\n$/,
    )
    writeFileSync(join(directory, 'tetragon.log.gz'), gzipSync(''))
    await expect(start({ RECORDING_DIR: directory })).rejects.toThrow(
      /replay: \S+tetragon\.log\.gz: the recording has fewer than two events\n$/,
    )
  })
})
