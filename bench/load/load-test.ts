import { setTimeout as sleep } from 'node:timers/promises'
import { loadContext } from '../../scripts/context/context.ts'
import { compareTimes, ExpectedEvents } from './expected-events.ts'
import { type Cost, type Counts, Measurements } from './measurements.ts'
import { ReplayControl } from './replay-control.ts'

/** Result of one run: the events at each stage, how late they were, and the cost. */
export interface Run {
  /** Events per second that the replay was set to. */
  rate: number
  seconds: number
  /** Written to the file, as counted by the replay. */
  written: number
  /** Read and sent by the shipper and received by Loki, as counted by them. */
  read: number
  sent: number
  received: number
  /** Stored in Loki: counted by a query, and found one by one by their time. */
  counted: number
  found: number
  /** Written, but not in Loki. */
  lost: number
  /** In Loki more than once, or never written. */
  twice: number
  /** Lines that equal what was written, and the number of lines that were compared. */
  identical: [number, number]
  /** Events per second that reached Loki during the run. */
  arriving: number
  /** How far Loki was behind at the end, and at most, in seconds. */
  lag: number
  worstLag: number
  /** Seconds from the end of the run until the last event arrived. */
  drained: number
  cost: Record<string, Cost>
}

/** Runs the lab under load. */
export class LoadTest {
  readonly #measurements: Measurements
  readonly #replay: ReplayControl
  readonly #log: (line: string) => void
  /** Counts of the silence after the last run, if it still lasts. */
  #silentCounts: Counts | undefined

  /**
   * Takes control of the replay of the running lab.
   * @throws LabError if no lab is running
   */
  static async start(log: (line: string) => void): Promise<LoadTest> {
    const context = await loadContext()
    const { settings } = context
    return new LoadTest(new Measurements(settings), await ReplayControl.take(context, settings.cluster.name), log)
  }

  private constructor(measurements: Measurements, replay: ReplayControl, log: (line: string) => void) {
    this.#measurements = measurements
    this.#replay = replay
    this.#log = log
  }

  /** Plays at a rate, counts the events at each stage, and compares what Loki has with what was written. */
  async run(rate: number, seconds: number): Promise<Run> {
    this.#log(`${rate} events per second for ${seconds} s, after a silence`)
    const before = await this.#countsBefore()

    await this.#replay.play(rate)
    const playing = await this.#observe(seconds, before)

    await this.#replay.silence()
    const silentAt = performance.now()
    const state = await this.#replay.state()
    const lastArrival = await this.#waitForArrival(before.received + state.written)
    const after = await this.#measurements.counts()
    this.#silentCounts = after

    return {
      rate,
      written: state.written,
      read: after.read - before.read,
      sent: after.sent - before.sent,
      received: after.received - before.received,
      ...playing,
      drained: Math.max(0, lastArrival - silentAt) / 1000,
      ...(await this.#readBack(new ExpectedEvents(state, rate), rate)),
    }
  }

  async #countsBefore(): Promise<Counts> {
    if (this.#silentCounts) return this.#silentCounts
    await this.#replay.silence()
    await this.#waitForArrival(Number.POSITIVE_INFINITY)
    return this.#measurements.counts()
  }

  /** Watches the lab for some seconds while the replay plays. */
  async #observe(
    seconds: number,
    before: Counts,
  ): Promise<Pick<Run, 'seconds' | 'arriving' | 'lag' | 'worstLag' | 'cost'>> {
    const startedAt = performance.now()
    const elapsed = () => (performance.now() - startedAt) / 1000
    let lag = 0
    let worstLag = 0
    while (elapsed() < seconds) {
      await sleep(Math.min(10_000, (seconds - elapsed()) * 1000))
      lag = await this.#measurements.lag()
      worstLag = Math.max(worstLag, lag)
      const arrived = (await this.#measurements.received()) - before.received
      this.#log(`${elapsed().toFixed(0)} s: ${arrived} events in Loki, ${lag.toFixed(1)} s behind`)
    }
    const played = Math.round(elapsed())
    const arriving = ((await this.#measurements.received()) - before.received) / elapsed()
    return { seconds: played, arriving, lag, worstLag, cost: await this.#measurements.cost(played) }
  }

  /** Compares the events in Loki with those that were written. */
  async #readBack(
    expected: ExpectedEvents,
    rate: number,
  ): Promise<Pick<Run, 'counted' | 'found' | 'lost' | 'twice' | 'identical'>> {
    this.#log('reading back from Loki')
    const times = expected.times()
    const start = times[0]!
    const end = times.at(-1)! + 1n
    const counted = await this.#measurements.count(start, end)
    const { missing, unknown } = compareTimes(times, await this.#measurements.times(start, end, rate))
    // Above 3,000 events per second, two events can have the same nanosecond. Then only the count shows that one is
    // missing.
    const lost = Math.max(missing, expected.count - counted)
    return {
      counted,
      found: expected.count - missing,
      lost,
      twice: counted - (expected.count - lost) + unknown,
      identical: await this.#compareLines(expected, times),
    }
  }

  /** Returns the replay to what it was. */
  restore(): Promise<void> {
    this.#log('restoring the replay')
    this.#silentCounts = undefined
    return this.#replay.restore()
  }

  /**
   * Waits until Loki has received the expected number of lines, or nothing for longer than a shipper waits between
   * attempts.
   * @returns when the last line arrived, on the clock of `performance`
   */
  async #waitForArrival(expected: number): Promise<number> {
    let received = -1
    let lastArrival = performance.now()
    while (received < expected && performance.now() - lastArrival < 20_000) {
      const now = await this.#measurements.received()
      if (now !== received) lastArrival = performance.now()
      received = now
      await sleep(500)
    }
    return lastArrival
  }

  /** Reads 1,000 lines from the middle and compares them with what was written. */
  async #compareLines(expected: ExpectedEvents, times: BigInt64Array): Promise<[number, number]> {
    const middle = Math.floor(expected.count / 2)
    const count = Math.min(1000, expected.count - middle)
    const written = new Set(expected.lines(middle, middle + count))
    const stored = await this.#measurements.lines(times[middle]!, times[middle + count - 1]! + 1n)
    return [stored.filter(line => written.has(line)).length, count]
  }
}
