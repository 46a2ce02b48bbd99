import { join } from 'node:path'
import { projectDir } from '../../shared/paths.ts'
import { readRecording } from '../../stacks/monitoring/replay/recording.ts'
import { shiftTimestamps } from '../../stacks/monitoring/replay/time.ts'

const recording = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook')

/** What a replay notes down when it stops (replay-state.json beside its file). */
export interface Stopped {
  /** Beginning of its first round, in milliseconds since 1970. */
  epoch: number
  startedAt: number
  /** How many events it has written. */
  written: number
}

/**
 * What a replay has played, known by arithmetic alone: the n-th event that it wrote is the n-th of the recording, round after round, at a time that
 * follows from when it began and how fast it was. So each event has a nanosecond of its own by which it is found again, or missed.
 */
export class Played {
  readonly #events
  readonly #schedule
  readonly #stopped: Stopped

  constructor(stopped: Stopped, eventsPerSecond: number) {
    const { events, schedule } = readRecording(recording, eventsPerSecond)
    this.#events = events
    this.#schedule = schedule
    this.#stopped = stopped
  }

  get count(): number {
    return this.#stopped.written
  }

  /** The instant of each event, in nanoseconds since 1970, in order. */
  times(): BigInt64Array {
    return BigInt64Array.from({ length: this.count }, (_, n) => this.#timeOf(n)).sort()
  }

  /** The lines of the events from one number up to another, as they were written. */
  lines(from: number, to: number): string[] {
    return Array.from({ length: to - from }, (_, index) => {
      const n = from + index
      const { line } = this.#events[n % this.#events.length]!
      return shiftTimestamps(line.toString('utf8'), time =>
        this.#schedule.toPlayedTime(time, this.#roundOf(n), this.#stopped.epoch),
      )
    })
  }

  #roundOf(n: number): number {
    return Math.floor(n / this.#events.length)
  }

  #timeOf(n: number): bigint {
    return this.#schedule.toPlayedTime(
      this.#events[n % this.#events.length]!.time,
      this.#roundOf(n),
      this.#stopped.epoch,
    )
  }
}

/** How many of the instants that should be there are not, and how many are there that should not. Both in order; what is there, each once. */
export function compare(should: BigInt64Array, is: BigInt64Array): { missing: number; unknown: number } {
  let missing = 0
  let unknown = 0
  let at = 0
  let last: bigint | undefined
  for (const time of should) {
    for (; at < is.length && is[at]! < time; at++) unknown++
    if (is[at] === time) at++
    // The second of two that share an instant is as much there as the first.
    else if (time !== last || is[at - 1] !== time) missing++
    last = time
  }
  return { missing, unknown: unknown + is.length - at }
}
