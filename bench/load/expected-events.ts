import { readRecording } from '../../stacks/monitoring/replay/recording.ts'
import { shiftTimestamps } from '../../stacks/monitoring/replay/time.ts'
import { recordingFolder } from '../../stacks/monitoring/replay-files.ts'

/** What a stopped replay leaves in replay-state.json. */
export interface ReplayState {
  /** Start of its first round, in milliseconds since 1970. */
  epoch: number
  startedAt: number
  /** Number of events that it wrote. */
  written: number
}

/**
 * The events that a replay wrote, calculated from its state: the n-th event is the n-th of the recording, round after
 * round, at a time that depends only on the start and the speed. Each event has its own nanosecond, by which it is
 * found in Loki or missed.
 */
export class ExpectedEvents {
  readonly #events
  readonly #schedule
  readonly #state: ReplayState

  constructor(state: ReplayState, eventsPerSecond: number) {
    const { events, schedule } = readRecording(recordingFolder, eventsPerSecond)
    this.#events = events
    this.#schedule = schedule
    this.#state = state
  }

  get count(): number {
    return this.#state.written
  }

  /** Returns the time of each event in nanoseconds since 1970, sorted. */
  times(): BigInt64Array {
    return BigInt64Array.from({ length: this.count }, (_, n) => this.#toPlayedTime(this.#recorded(n).time, n)).sort()
  }

  /** Returns the lines of the events from one index up to another, as they were written. */
  lines(start: number, end: number): string[] {
    return Array.from({ length: end - start }, (_, offset) => {
      const n = start + offset
      return shiftTimestamps(this.#recorded(n).line.toString('utf8'), time => this.#toPlayedTime(time, n))
    })
  }

  #recorded(n: number) {
    return this.#events[n % this.#events.length]!
  }

  #toPlayedTime(time: bigint, n: number): bigint {
    return this.#schedule.toPlayedTime(time, Math.floor(n / this.#events.length), this.#state.epoch)
  }
}

/**
 * Counts the expected times that were not found, and the found times that were not expected. Both arrays must be
 * sorted, and `found` must have no duplicates.
 */
export function compareTimes(expected: BigInt64Array, found: BigInt64Array): { missing: number; unknown: number } {
  let missing = 0
  let unknown = 0
  let index = 0
  let previous: bigint | undefined
  for (const time of expected) {
    for (; index < found.length && found[index]! < time; index++) unknown++
    if (found[index] === time) index++
    // Two expected events at the same time match one found time.
    else if (time !== previous || found[index - 1] !== time) missing++
    previous = time
  }
  return { missing, unknown: unknown + found.length - index }
}
