import { EventEmitter } from 'node:events'
import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ExportFile, type ExportFileOptions } from './export-file.ts'
import { Metrics } from './metrics.ts'
import { type RecordedEvent, readRecording, type Schedule } from './recording.ts'
import { shiftTimestamps } from './time.ts'

/** A larger difference means that the clock was set or the machine slept. The playback then continues where it was. */
const clockJumpMs = 5_000

/** At thousands of events per second, each write holds several events. */
const minWriteIntervalMs = 20

/** Without events due, the clock is checked this often, to notice that it was set back. */
const maxWriteIntervalMs = 1_000

export interface PlayerOptions {
  /** Folder with tetragon.log.zst and metrics.jsonl.zst. */
  recordingDir: string
  /** The state file is kept in the folder of the export file. */
  exportFile: ExportFileOptions
  /** On average. */
  eventsPerSecond: number
  /** Replaces the name of the recorded node in events and metrics; empty to keep it. */
  nodeName?: string
}

/** What survives a restart, in replay-state.json. The modification time of the file tells how far the playback got. */
interface State {
  /** Start of round 0, in milliseconds since 1970. */
  epoch: number
  /** Duration of a round in milliseconds. */
  length: number
  /** Milliseconds since 1970. */
  startedAt: number
  /** Number of events that the last player wrote. */
  written?: number
}

/**
 * Plays a recording until `stop` is called. It first writes a whole round at once, as history that ends now, so that
 * the dashboards have data. If it was restarted a moment ago, it continues where it was instead. Emits `error` if a
 * write fails, and keeps playing.
 */
export class Player extends EventEmitter<{ error: [Error] }> {
  readonly events: RecordedEvent[]
  readonly schedule: Schedule
  readonly file: ExportFile
  readonly resumed: boolean
  readonly #metrics: Metrics
  readonly #stateFile: string
  readonly #state: State
  readonly #nodeName: string
  /** The next event to play. */
  #round = 0
  #index = 0
  /** Everything before this time has been played, in milliseconds since 1970. */
  #playedUntil: number
  #timer: NodeJS.Timeout | undefined
  #nextTickAt = 0

  constructor({ recordingDir, exportFile, eventsPerSecond, nodeName = '' }: PlayerOptions) {
    super()
    this.#nodeName = nodeName
    const { events, schedule, samples } = readRecording(recordingDir, eventsPerSecond)
    this.events = events
    this.schedule = schedule
    this.#metrics = new Metrics(samples, schedule)
    this.#stateFile = join(dirname(exportFile.path), 'replay-state.json')
    const now = Date.now()
    this.#playedUntil = now
    const state = resumeState(this.#stateFile, exportFile.path, schedule.roundMs, now)
    this.resumed = state !== undefined
    this.file = new ExportFile(exportFile)
    const epoch = Math.round(now - schedule.roundMs)
    this.#state = state ?? { epoch, length: schedule.roundMs, startedAt: epoch }
    if (this.resumed) this.#skipTo(now)
  }

  /** Returns what /metrics answers now. */
  metricsText(): string {
    return this.#onThisNode(this.#metrics.text({ now: this.#playedUntil, ...this.#state }))
  }

  start(): void {
    this.#saveState()
    this.#nextTickAt = Date.now()
    this.#tick()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#saveState()
    this.#saveProgress()
    this.file.close()
  }

  #tick(): void {
    const now = Date.now()
    const delay = now - this.#nextTickAt
    if (Math.abs(delay) > clockJumpMs) {
      this.#state.epoch += delay
      this.#saveState()
    }
    this.#try(() => this.file.append(this.#takeDueLines(now)))
    this.#playedUntil = now
    this.#saveProgress()
    const wait = Math.min(Math.max(Math.ceil(this.#nextEventAt() - Date.now()), minWriteIntervalMs), maxWriteIntervalMs)
    this.#nextTickAt = Date.now() + wait
    this.#timer = setTimeout(() => this.#tick(), wait)
  }

  *#takeDueLines(now: number): Generator<string> {
    while (this.#nextEventAt() <= now) {
      const line = this.events[this.#index]?.line.toString('utf8') ?? ''
      const round = this.#round
      this.#advance()
      yield this.#onThisNode(shiftTimestamps(line, time => this.schedule.toPlayedTime(time, round, this.#state.epoch)))
    }
  }

  /** In the JSON of an event and in the labels of a metric. */
  #onThisNode(text: string): string {
    return this.#nodeName ? text.replaceAll(/(\bnode_name(?:":|=)")[^"]*/g, `$1${this.#nodeName}`) : text
  }

  #skipTo(now: number): void {
    this.#round = Math.max(0, this.schedule.position(now, this.#state.epoch).round)
    while (this.#nextEventAt() <= now) this.#advance()
  }

  #nextEventAt(): number {
    return this.#state.epoch + this.#round * this.schedule.roundMs + (this.schedule.dueMs[this.#index] ?? 0)
  }

  #advance(): void {
    this.#index++
    if (this.#index < this.events.length) return
    this.#index = 0
    this.#round++
  }

  #saveState(): void {
    const state: State = { ...this.#state, written: this.file.written }
    this.#try(() => writeFileSync(this.#stateFile, JSON.stringify(state), { mode: 0o600 }))
  }

  #saveProgress(): void {
    const seconds = this.#playedUntil / 1000
    this.#try(() => utimesSync(this.#stateFile, seconds, seconds))
  }

  #try(write: () => void): void {
    try {
      write()
    } catch (error) {
      this.emit('error', error as Error)
    }
  }
}

/**
 * Returns the state of a player that stopped a moment ago, with its epoch moved so that it continues where it was.
 * Returns undefined if there is no valid state, or the player stopped more than two rounds ago.
 * @param roundMs duration of a round now, as the speed may have changed
 */
function resumeState(stateFile: string, exportFile: string, roundMs: number, now: number): State | undefined {
  try {
    const state = JSON.parse(readFileSync(stateFile, 'utf8')) as State
    const stoppedAt = statSync(stateFile).mtimeMs
    // Throws if the export file was deleted: there is nothing to continue.
    statSync(exportFile)
    const age = now - stoppedAt
    if (age > 2 * roundMs || age < -clockJumpMs) return undefined
    const rounds = (stoppedAt - state.epoch) / state.length
    // Below 1 the history was not complete. An impossibly high number means that the file is damaged.
    if (!(rounds >= 1 && rounds < 1e8) || !Number.isFinite(state.startedAt)) return undefined
    return { epoch: Math.round(now - rounds * roundMs), length: roundMs, startedAt: state.startedAt }
  } catch {
    return undefined
  }
}
