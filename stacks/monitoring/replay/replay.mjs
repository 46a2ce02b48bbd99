// @ts-check
// Plays a recorded run of the real Tetragon, for kernels that cannot trace: the recorded events appear in the export file with fresh
// timestamps, the recorded metrics on :2112. Whatever reads either cannot tell the difference.
//
// One file without dependencies: it is mounted from a ConfigMap into a plain Node image.
//
//   RECORDING_DIR      folder of tetragon.log.gz and metrics.jsonl.gz (recordings/guestbook beside this file)
//   EXPORT_FILE        where the events go (/var/log/tetragon/tetragon.log); its folder must be writable, the state is kept there too
//   EXPORT_FILE_PERM   its permissions (600, as Tetragon's)
//   EXPORT_FILE_MAX_SIZE_MB, EXPORT_FILE_MAX_BACKUPS
//                      when it is full, and how many full ones are kept (10 and 5, as Tetragon's)
//   EVENTS_PER_SECOND  on average (12)
//   METRICS_PORT       for /metrics and /healthz (2112)
import { EventEmitter } from 'node:events'
import {
  closeSync,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { basename, dirname, extname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** A wall clock that is further off than this (ms) was set, or the machine slept: the recording then stands still meanwhile. */
const leap = 5_000

/** The shortest pause between two writes (ms): thousands of events a second go out by the dozen. */
const breath = 20

// --- Timestamps ----------------------------------------------------------------------------------------------------------------

/** A JSON string that is a timestamp as protobuf writes one; timestamps inside longer text (a program's arguments) are not touched. */
const timestamp = /(?<=":\s?")(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z(?=")/g

/** The years 1 and 9999 end what protobuf can say; Go writes the first for "never". */
const earliest = -62_135_596_800n * 1_000_000_000n
const latest = 253_402_300_799_999_999_999n

/**
 * Nanoseconds since 1970 of a timestamp in UTC such as `2026-11-21T09:27:20.957577185Z`.
 * @param {string} text
 * @throws Error for another text, and for a day that there is not
 */
export function parseTime(text) {
  const [, seconds = '', fraction = ''] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(text) ?? []
  const ms = Date.parse(`${seconds}Z`)
  if (Number.isNaN(ms)) throw new Error(`${JSON.stringify(text)} is no time`)
  return BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

/**
 * The timestamp of an instant as protobuf writes it: 0, 3, 6 or 9 digits of fraction, as few as it takes.
 * @param {bigint} ns
 */
export function formatTime(ns) {
  if (ns < earliest) return formatTime(earliest)
  if (ns > latest) return formatTime(latest)
  const seconds = floorDiv(ns, 1_000_000_000n)
  const fraction = (ns - seconds * 1_000_000_000n)
    .toString()
    .padStart(9, '0')
    .replace(/(000){1,3}$/, '')
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19) + (fraction && `.${fraction}`) + 'Z'
}

/**
 * @param {bigint} a
 * @param {bigint} b positive
 */
const floorDiv = (a, b) => (a - (((a % b) + b) % b)) / b

// --- The recording, and how fast it is played ------------------------------------------------------------------------------------

/**
 * @typedef {object} Event
 * @property {bigint} time when it was recorded, ns since 1970
 * @property {Buffer} line the JSON as recorded; a view of the whole recording, which so is in memory only once
 */

/** What is wrong with a recording, by file and line. */
export class RecordingError extends Error {}

/**
 * The events of a recording in the order of their times (Tetragon holds some back until it knows their pod).
 * @param {Buffer} text lines of JSON
 * @returns {Event[]}
 * @throws RecordingError for a line that is no event
 */
export const parseEvents = text =>
  readLines(text, ({ time }, line) => ({ time: parseTime(time), line })).sort((a, b) =>
    a.time < b.time ? -1 : a.time > b.time ? 1 : 0,
  )

/**
 * @template T
 * @param {Buffer} text lines of JSON
 * @param {(value: any, line: Buffer) => T} read
 * @returns {T[]}
 */
function readLines(text, read) {
  let number = 0
  return [...lines(text)].map(line => {
    number++
    try {
      return read(JSON.parse(line.toString('utf8')) ?? {}, line)
    } catch (error) {
      throw new RecordingError(`line ${number}: ${error instanceof Error ? error.message : error}`)
    }
  })
}

/**
 * The lines that are not empty, without their ends.
 * @param {Buffer} text
 */
function* lines(text) {
  for (let from = 0; from < text.length; ) {
    const newline = text.indexOf(10, from)
    const end = newline < 0 ? text.length : newline
    if (end > from) yield text.subarray(from, end)
    from = end + 1
  }
}

/** One round of the recording after another, without a pause: round 0 begins at `epoch`, round n at `epoch + n * length`. */
export class Tempo {
  /**
   * @param {readonly Event[]} events sorted
   * @param {number} eventsPerSecond on average
   */
  constructor(events, eventsPerSecond) {
    const first = events[0]?.time
    const last = events.at(-1)?.time
    if (first === undefined || last === undefined || first === last)
      throw new RecordingError('the recording has fewer than two events')
    /** When the recording begins, ns since 1970. */
    this.first = first
    const count = BigInt(events.length)
    /** How long a round is in the recording: from the first event to the last, and an average pause until the next round. */
    this.recordedNs = ((last - first) * count) / (count - 1n)
    /** How long a round is when it is played. */
    this.playedNs = BigInt(Math.round((events.length / eventsPerSecond) * 1e9))
    /** The same in milliseconds. */
    this.length = Number(this.playedNs) / 1e6
    /** How many times faster than recorded. */
    this.speed = Number(this.recordedNs) / Number(this.playedNs)
    /** When each event is due, milliseconds after the start of its round. */
    this.due = events.map(event => Number(((event.time - first) * this.playedNs) / this.recordedNs) / 1e6)
  }

  /**
   * The instant (ns) in a round that stands for an instant of the recording.
   * @param {bigint} time recorded, ns
   * @param {number} round
   * @param {number} epoch ms
   */
  map(time, round, epoch) {
    const start = BigInt(Math.round(epoch)) * 1_000_000n + BigInt(round) * this.playedNs
    return start + floorDiv((time - this.first) * this.playedNs, this.recordedNs)
  }

  /**
   * Where the recording is at a moment: the round, and the recorded instant in seconds since its beginning.
   * @param {number} now ms
   * @param {number} epoch ms
   */
  position(now, epoch) {
    const rounds = (now - epoch) / this.length
    const round = Math.floor(rounds)
    return { round, at: ((rounds - round) * Number(this.recordedNs)) / 1e9 }
  }
}

/**
 * A recorded line as of now: every timestamp in it is moved, nothing else is changed.
 * A time that was recorded in whole seconds (Kubernetes' own) stays one.
 * @param {string} line
 * @param {(ns: bigint) => bigint} map
 */
export const freshen = (line, map) =>
  line.replace(timestamp, (text, _seconds, fraction) => {
    // What only looks like a time (the 31st of February in a program's output) stays.
    if (Number.isNaN(Date.parse(text))) return text
    const ns = map(parseTime(text))
    return formatTime(fraction === undefined ? floorDiv(ns, 1_000_000_000n) * 1_000_000_000n : ns)
  })

// --- The export file -------------------------------------------------------------------------------------------------------------

/** A log that rotates as Tetragon's does: renamed to `tetragon-<time>.log` before it outgrows its limit, the oldest removed. */
export class ExportFile {
  #fd = -1
  #size = 0

  /**
   * @param {object} options
   * @param {string} options.path
   * @param {number} [options.mode] permissions, 0600 by default
   * @param {number} [options.maxBytes] 10 MiB by default
   * @param {number} [options.keep] how many rotated files stay, 5 by default
   */
  constructor({ path, mode = 0o600, maxBytes = 10 * 1024 * 1024, keep = 5 }) {
    this.path = path
    this.mode = mode
    this.maxBytes = maxBytes
    this.keep = keep
    /** How many lines were written. */
    this.written = 0
    mkdirSync(dirname(path), { recursive: true })
    this.#open()
  }

  #open() {
    this.#fd = openSync(this.path, 'a', this.mode)
    // the umask may have taken something away, and an older file may have other permissions
    fchmodSync(this.#fd, this.mode)
    this.#size = fstatSync(this.#fd).size
  }

  /**
   * Appends whole lines: a reader never sees a part of one that stays a part.
   * @param {Iterable<string>} lines without their ends
   * @throws when they cannot be written (a full disk); the file then ends with the last whole batch.
   */
  append(lines) {
    let batch = ''
    let count = 0
    for (const line of lines) {
      const length = batch.length + Buffer.byteLength(line) + 1
      if (batch !== '' && (length > 256 * 1024 || this.#size + length > this.maxBytes)) {
        this.#write(batch, count)
        batch = ''
        count = 0
      }
      batch += line + '\n'
      count++
    }
    if (batch !== '') this.#write(batch, count)
  }

  /**
   * @param {string} text
   * @param {number} count of its lines
   */
  #write(text, count) {
    const bytes = Buffer.from(text)
    if (this.#size > 0 && this.#size + bytes.length > this.maxBytes) this.#rotate()
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#fd, bytes, done)
      this.#size += bytes.length
      this.written += count
    } catch (error) {
      ftruncateSync(this.#fd, this.#size)
      throw error
    }
  }

  #rotate() {
    const extension = extname(this.path)
    const stem = basename(this.path, extension)
    const directory = dirname(this.path)
    const stamp = new Date().toISOString().slice(0, -1).replaceAll(':', '-')
    const full = this.#fd
    renameSync(this.path, join(directory, `${stem}-${stamp}${extension}`))
    this.#open()
    closeSync(full)
    const rotated = readdirSync(directory)
      .filter(name => name.startsWith(`${stem}-`) && name.endsWith(extension))
      .sort()
    for (const name of rotated.slice(0, Math.max(0, rotated.length - this.keep))) rmSync(join(directory, name))
  }

  close() {
    closeSync(this.#fd)
  }
}

// --- Metrics ---------------------------------------------------------------------------------------------------------------------

/**
 * @typedef {object} Series
 * @property {string} key name and labels, as recorded
 * @property {boolean} grows a counter, or the count, the sum or a bucket of a histogram or summary
 * @property {(number | undefined)[]} values one for each sample; undefined where it was not there
 * @property {number} shown the greatest value that was given out, of one that grows
 *
 * @typedef {object} Family
 * @property {string} name
 * @property {string[]} head its HELP and TYPE lines
 * @property {string} type
 * @property {Map<string, Series>} series
 *
 * @typedef {object} Sample
 * @property {number} time unix seconds
 * @property {string} text an exposition
 */

/**
 * @param {Buffer} text lines of JSON
 * @returns {Sample[]}
 * @throws RecordingError for a line that is no sample
 */
export const parseSamples = text =>
  readLines(text, ({ time, text }) => {
    if (!Number.isFinite(time) || typeof text !== 'string') throw new Error('no sample with its time and text')
    return { time, text }
  })

/** The recorded samples as ever-growing metrics: each round adds to a counter what the recorded run had added to it. */
export class Metrics {
  /** @type {Map<string, Family>} */
  #families = new Map()
  /** @type {number[]} seconds from the beginning of the recording to each sample */
  #times = []
  #tempo

  /**
   * @param {Iterable<Sample>} samples in the order of time
   * @param {Tempo} tempo
   */
  constructor(samples, tempo) {
    this.#tempo = tempo
    for (const { time, text } of samples) {
      this.#times.push(time - Number(tempo.first) / 1e9)
      this.#add(text, this.#times.length - 1)
    }
    if (this.#times.length === 0) throw new RecordingError('the recording has no metrics')
    for (const family of this.#families.values())
      for (const series of family.series.values()) if (series.grows) accumulate(series.values, this.#times.length)
  }

  /**
   * @param {string} text
   * @param {number} index of the sample
   */
  #add(text, index) {
    /** @type {string[]} */
    let head = []
    /** @type {Family | undefined} */
    let family
    for (const line of text.split('\n')) {
      if (line.startsWith('# HELP ')) {
        head = [line]
      } else if (line.startsWith('# TYPE ')) {
        const [, , name = '', type = ''] = line.split(' ')
        family = this.#families.get(name)
        if (!family) {
          family = { name, head: [...head, line], type, series: new Map() }
          this.#families.set(name, family)
        }
        head = []
      } else if (line !== '' && family) {
        const space = line.lastIndexOf(' ')
        const key = line.slice(0, space)
        let series = family.series.get(key)
        if (!series) {
          const name = key.split('{', 1)[0]
          const grows = family.type === 'counter' || (/^(histogram|summary)$/.test(family.type) && name !== family.name)
          series = { key, grows, values: [], shown: 0 }
          family.series.set(key, series)
        }
        series.values[index] = parseNumber(line.slice(space + 1))
      }
    }
  }

  /**
   * The answer of /metrics at a moment.
   * @param {object} when
   * @param {number} when.now ms
   * @param {number} when.epoch beginning of round 0, ms
   * @param {number} when.startedAt what process_start_time_seconds says, ms
   */
  text({ now, epoch, startedAt }) {
    const { round, at } = this.#tempo.position(now, epoch)
    const index = this.#times.findLastIndex(time => time <= at)
    const lines = []
    for (const family of this.#families.values()) {
      const body = []
      for (const series of family.series.values()) {
        const value = series.grows
          ? this.#grown(series, index, at, round)
          : this.#clock(family.name, { now, epoch, startedAt, round, at }, series.values[Math.max(index, 0)])
        if (value !== undefined) body.push(`${series.key} ${formatNumber(value)}`)
      }
      if (body.length > 0) lines.push(...family.head, ...body)
    }
    return lines.join('\n') + '\n'
  }

  /**
   * @param {Series} series
   * @param {number} index of the newest sample, -1 before the first
   * @param {number} at seconds since the beginning of the recording
   * @param {number} round
   */
  #grown(series, index, at, round) {
    const { values } = series
    const first = values[0] ?? 0
    // The agent started with the recording, a while before the first sample: from zero evenly up to that.
    const climbed = first * Math.max(0, at / (this.#times[0] ?? 1))
    const inRound = index >= 0 ? (values[index] ?? 0) : Number.isInteger(first) ? Math.floor(climbed) : climbed
    // Sums of fractions are rounded; a counter that is less by the last bit would pass for one that started anew.
    series.shown = Math.max(series.shown, round * (values.at(-1) ?? 0) + inRound)
    return series.shown
  }

  /**
   * Gauges that hold a time say one of this run, the rest what was recorded.
   * @param {string} name
   * @param {{ now: number, epoch: number, startedAt: number, round: number, at: number }} when
   * @param {number | undefined} recorded
   */
  #clock(name, { now, epoch, startedAt, round, at }, recorded) {
    if (recorded === undefined) return undefined
    if (name === 'process_start_time_seconds') return Math.round(startedAt / 10) / 100
    if (name === 'tetragon_events_last_exported_timestamp') {
      const played = (at * 1000) / this.#tempo.speed
      const last = this.#tempo.due.findLast(due => due <= played) ?? 0
      return Math.floor((epoch + round * this.#tempo.length + last) / 1000)
    }
    if (/_(timestamp|time)(_seconds)?$/.test(name) && recorded > 1e9 && recorded < 1e11) {
      const mapped = Number(this.#tempo.map(BigInt(Math.round(recorded * 1e9)), round, epoch)) / 1e9
      return Math.min(mapped, now / 1000)
    }
    return recorded
  }
}

/**
 * Turns what a counter said into what it counted since the recording began: zero before it was there, its last value after it
 * went (the policy it belonged to was removed), and the sum of both runs where the agent was started anew.
 * @param {(number | undefined)[]} values changed in place
 * @param {number} count of samples
 */
function accumulate(values, count) {
  let base = 0
  let previous = 0
  for (let i = 0; i < count; i++) {
    const value = values[i]
    if (value !== undefined) {
      if (value < previous) base += previous
      previous = value
    }
    values[i] = base + previous
  }
}

/** @param {string} text as in an exposition */
const parseNumber = text => Number(text.replace('Inf', 'Infinity'))

/** @param {number} value */
const formatNumber = value =>
  value === Number.POSITIVE_INFINITY ? '+Inf' : value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value)

// --- The player ------------------------------------------------------------------------------------------------------------------

/**
 * @typedef {object} Options
 * @property {string} recordingDir folder of tetragon.log.gz and metrics.jsonl.gz
 * @property {string} exportFile
 * @property {number} exportFilePerm
 * @property {number} [exportFileMaxBytes]
 * @property {number} [exportFileMaxBackups]
 * @property {number} eventsPerSecond
 * @property {number} metricsPort 0 for any
 *
 * @typedef {object} State what outlives a restart, in a file beside the export file whose own time says until when was played
 * @property {number} epoch beginning of round 0, ms
 * @property {number} length of a round, ms
 * @property {number} startedAt ms
 * @property {number} [written] how many events this player had written when it stopped
 */

/**
 * Options from environment variables.
 * @param {Record<string, string | undefined>} env
 * @throws Error that names the variable
 * @returns {Options}
 */
export function readOptions(env) {
  /**
   * @param {string} name
   * @param {number} standard
   * @param {(value: number) => boolean} allowed
   */
  const number = (name, standard, allowed) => {
    const value = Number(env[name] || standard)
    if (!allowed(value)) throw new Error(`${name} is ${JSON.stringify(env[name])}`)
    return value
  }
  const perm = env.EXPORT_FILE_PERM || '600'
  if (!/^0?[0-7]{3}$/.test(perm)) throw new Error(`EXPORT_FILE_PERM is ${JSON.stringify(perm)}, not like 600`)
  return {
    recordingDir: env.RECORDING_DIR || join(import.meta.dirname, 'recordings', 'guestbook'),
    exportFile: env.EXPORT_FILE || '/var/log/tetragon/tetragon.log',
    exportFilePerm: Number.parseInt(perm, 8),
    exportFileMaxBytes: number('EXPORT_FILE_MAX_SIZE_MB', 10, value => value >= 1) * 1024 ** 2,
    exportFileMaxBackups: number('EXPORT_FILE_MAX_BACKUPS', 5, value => Number.isInteger(value) && value >= 0),
    eventsPerSecond: number('EVENTS_PER_SECOND', 12, value => value > 0 && value <= 10_000),
    metricsPort: number('METRICS_PORT', 2112, value => Number.isInteger(value) && value >= 0 && value <= 65_535),
  }
}

/**
 * @param {string} directory
 * @param {number} eventsPerSecond
 * @throws RecordingError for a file that is missing, cut off or no recording
 */
export function readRecording(directory, eventsPerSecond) {
  const [events, tempo] = readFile(join(directory, 'tetragon.log.gz'), text => {
    const events = parseEvents(text)
    return /** @type {const} */ ([events, new Tempo(events, eventsPerSecond)])
  })
  const metrics = readFile(join(directory, 'metrics.jsonl.gz'), text => new Metrics(parseSamples(text), tempo))
  return { events, tempo, metrics }
}

/**
 * @template T
 * @param {string} file compressed by gzip
 * @param {(text: Buffer) => T} read
 */
function readFile(file, read) {
  try {
    return read(gunzipSync(readFileSync(file)))
  } catch (error) {
    const says = error instanceof Error ? error.message : String(error)
    throw new RecordingError(says.includes(file) ? says : `${file}: ${says}`)
  }
}

/**
 * Plays until `stop` is called: a whole round at once, as history that ends now, so that there is something to look at; then on and on.
 * Where it had played until a moment ago (the pod was restarted) it goes on from there instead.
 * Emits `error` for a write that failed; playing goes on.
 */
export class Player extends EventEmitter {
  /** @type {NodeJS.Timeout | undefined} */
  #timer
  #round = 0
  #index = 0
  /** Until when was played, ms. */
  #played = Date.now()
  /** When the next look at the clock is due, ms. */
  #expected = 0

  /** @param {Options} options */
  constructor(options) {
    super()
    const { events, tempo, metrics } = readRecording(options.recordingDir, options.eventsPerSecond)
    this.events = events
    this.tempo = tempo
    this.metrics = metrics
    this.stateFile = join(dirname(options.exportFile), 'replay-state.json')
    const now = this.#played
    const resumed = resume(this.stateFile, options.exportFile, tempo.length, now)
    this.resumed = resumed !== undefined
    this.file = new ExportFile({
      path: options.exportFile,
      mode: options.exportFilePerm,
      maxBytes: options.exportFileMaxBytes,
      keep: options.exportFileMaxBackups,
    })
    const epoch = Math.round(now - tempo.length)
    /** @type {State} */
    this.state = resumed ?? { epoch, length: tempo.length, startedAt: epoch }
    if (resumed) this.#skip(now)
  }

  /** The answer of /metrics. */
  metricsText() {
    return this.metrics.text({ now: this.#played, ...this.state })
  }

  start() {
    this.#save()
    this.#expected = Date.now()
    this.#tick()
  }

  stop() {
    clearTimeout(this.#timer)
    const now = this.#played / 1000
    this.#save()
    this.#try(() => utimesSync(this.stateFile, now, now))
    this.file.close()
  }

  #tick() {
    const now = Date.now()
    const off = now - this.#expected
    if (Math.abs(off) > leap) {
      this.state.epoch += off
      this.#save()
    }
    this.#try(() => this.file.append(this.#take(now)))
    this.#played = now
    this.#try(() => utimesSync(this.stateFile, now / 1000, now / 1000))
    // looks at least every second, to notice a clock that was set back
    const wait = Math.min(Math.max(Math.ceil(this.#nextDue() - Date.now()), breath), 1000)
    this.#expected = Date.now() + wait
    this.#timer = setTimeout(() => this.#tick(), wait)
  }

  #nextDue() {
    return this.state.epoch + this.#round * this.tempo.length + (this.tempo.due[this.#index] ?? 0)
  }

  #advance() {
    this.#index++
    if (this.#index < this.events.length) return
    this.#index = 0
    this.#round++
  }

  /** @param {number} now everything before it has been played */
  #skip(now) {
    this.#round = Math.max(0, this.tempo.position(now, this.state.epoch).round)
    while (this.#nextDue() <= now) this.#advance()
  }

  /**
   * The lines that are due.
   * @param {number} now
   */
  *#take(now) {
    while (this.#nextDue() <= now) {
      const line = this.events[this.#index]?.line.toString('utf8') ?? ''
      const round = this.#round
      this.#advance()
      yield freshen(line, time => this.tempo.map(time, round, this.state.epoch))
    }
  }

  #save() {
    const state = { ...this.state, written: this.file.written }
    this.#try(() => writeFileSync(this.stateFile, JSON.stringify(state), { mode: 0o600 }))
  }

  /** @param {() => void} write */
  #try(write) {
    try {
      write()
    } catch (error) {
      this.emit('error', error)
    }
  }
}

/**
 * The state of a player that stopped a moment ago, moved so that it goes on where it was; undefined where there is none, or where it
 * played more than two rounds ago.
 * @param {string} stateFile
 * @param {string} exportFile
 * @param {number} length of a round now; the speed may have been changed
 * @param {number} now ms
 * @returns {State | undefined}
 */
function resume(stateFile, exportFile, length, now) {
  try {
    const state = JSON.parse(readFileSync(stateFile, 'utf8'))
    const stopped = statSync(stateFile).mtimeMs
    // without the file there is nothing to go on with
    statSync(exportFile)
    const age = now - stopped
    if (age > 2 * length || age < -leap) return undefined
    const rounds = (stopped - state.epoch) / state.length
    // less than a round: its history was never finished; more than there can be: the file is damaged
    if (!(rounds >= 1 && rounds < 1e8) || !Number.isFinite(state.startedAt)) return undefined
    return { epoch: Math.round(now - rounds * length), length, startedAt: state.startedAt }
  } catch {
    return undefined
  }
}

/**
 * /metrics and /healthz.
 * @param {() => string} metrics
 */
export const metricsServer = metrics =>
  createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://replay').pathname
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405).end()
    if (path === '/metrics') {
      response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8')
      return void response.end(metrics())
    }
    if (path === '/healthz') return void response.end('ok\n')
    response.writeHead(404).end('/metrics, /healthz\n')
  })

/** @param {NodeJS.ProcessEnv} env */
function main(env) {
  const options = readOptions(env)
  const player = new Player(options)
  let said = ''
  player.on('error', error => {
    // a full disk fails a dozen times a second
    if (error.message !== said) console.error(`replay: ${error.message}`)
    said = error.message
  })
  const server = metricsServer(() => player.metricsText())
  server.listen(options.metricsPort, () => {
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : address
    const { tempo } = player
    console.log(
      `replay: ${player.events.length} events, ${(tempo.length / 1000).toFixed(1)} s a round (${tempo.speed.toFixed(1)} times as fast as recorded), ` +
        `${player.resumed ? 'resumed' : 'one round as history'}, into ${options.exportFile}; metrics on :${port}`,
    )
    player.start()
  })
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.once(signal, () => {
      player.stop()
      server.close()
      server.closeAllConnections()
    })
}

if (import.meta.main) {
  try {
    main(process.env)
  } catch (error) {
    console.error(`replay: ${error instanceof Error ? error.message : error}`)
    process.exitCode = 1
  }
}
