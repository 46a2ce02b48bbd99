import { setTimeout as sleep } from 'node:timers/promises'
import { loadContext } from '../../scripts/context/context.ts'
import { type Cost, type Counts, Observed } from './observed.ts'
import { compare, Played } from './played.ts'
import { ReplayControl } from './replay.ts'

/** What became of one run: how many events at each stage, how late they were, and what it took. */
export interface Run {
  /** Events a second that the replay was set to. */
  rate: number
  seconds: number
  /** Written to the file by the replay, as it has counted. */
  written: number
  /** Read from it by the shipper, sent by it, and received by Loki, as they have counted. */
  read: number
  sent: number
  received: number
  /** Held by Loki: counted by a query, and looked for one by one, by their time. */
  counted: number
  found: number
  /** Events that were written and are not in Loki. */
  lost: number
  /** Events that are in Loki more than once, or were never written. */
  twice: number
  /** Lines that were read back whole and are byte by byte what was written, of how many. */
  identical: [number, number]
  /** How many a second reached Loki while the replay played. */
  arriving: number
  /** How far Loki was behind, in seconds: at the end, and at worst. */
  lag: number
  worstLag: number
  /** Seconds from the last event until the last had arrived. */
  drained: number
  cost: Record<string, Cost>
}

/** The lab under load. `say` is told what goes on. */
export class Load {
  readonly #observed: Observed
  readonly #replay: ReplayControl
  readonly #say: (line: string) => void
  /** What was counted in the silence that still lasts. */
  #silent: Counts | undefined

  /** Takes over the replay of the lab that is up. @throws LabError when none is. */
  static async take(say: (line: string) => void): Promise<Load> {
    const context = await loadContext()
    const { settings } = context
    return new Load(new Observed(settings), await ReplayControl.take(context, settings.cluster.name), say)
  }

  private constructor(observed: Observed, replay: ReplayControl, say: (line: string) => void) {
    this.#observed = observed
    this.#replay = replay
    this.#say = say
  }

  /** Plays at a rate for a while, and counts. */
  async run(rate: number, seconds: number): Promise<Run> {
    this.#say(`${rate} events a second for ${seconds} s, after a silence`)
    if (!this.#silent) {
      await this.#replay.silence()
      await this.#arrived(Number.POSITIVE_INFINITY)
      this.#silent = await this.#observed.counts()
    }
    const before = this.#silent

    await this.#replay.play(rate)
    const began = performance.now()
    const elapsed = () => (performance.now() - began) / 1000
    let lag = 0
    let worstLag = 0
    while (elapsed() < seconds) {
      await sleep(Math.min(10_000, (seconds - elapsed()) * 1000))
      lag = await this.#observed.lag()
      worstLag = Math.max(worstLag, lag)
      const arrived = (await this.#observed.received()) - before.received
      this.#say(`${elapsed().toFixed(0)} s: ${arrived} events in Loki, ${lag.toFixed(1)} s behind`)
    }
    const played = elapsed()
    const arriving = ((await this.#observed.received()) - before.received) / elapsed()
    const cost = await this.#observed.cost(Math.round(played))

    await this.#replay.silence()
    const silent = performance.now()
    const stopped = await this.#replay.stopped()
    const drained = Math.max(0, (await this.#arrived(before.received + stopped.written)) - silent) / 1000
    const after = await this.#observed.counts()
    this.#silent = after

    this.#say('reading back')
    const replayed = new Played(stopped, rate)
    const should = replayed.times()
    const from = should[0]!
    const to = should.at(-1)! + 1n
    const counted = await this.#observed.count(from, to)
    const is = await this.#observed.times(from, to, rate)
    const { missing, unknown } = compare(should, is)
    // Beyond 3,000 a second two of a round may share their nanosecond: one of the two is missed by the count alone.
    const lost = Math.max(missing, stopped.written - counted)
    return {
      rate,
      seconds: Math.round(played),
      written: stopped.written,
      read: after.read - before.read,
      sent: after.sent - before.sent,
      received: after.received - before.received,
      counted,
      found: stopped.written - missing,
      lost,
      twice: counted - (stopped.written - lost) + unknown,
      identical: await this.#identical(replayed, should),
      arriving,
      lag,
      worstLag,
      drained,
      cost,
    }
  }

  /** Gives the replay back as it was. */
  restore(): Promise<void> {
    this.#say('the replay is put back')
    this.#silent = undefined
    return this.#replay.restore()
  }

  /**
   * Waits until Loki has received as many as it should, or nothing more arrives for longer than a shipper waits between attempts.
   * @returns when the last had arrived, on the clock of `performance`.
   */
  async #arrived(wanted: number): Promise<number> {
    let received = -1
    let since = performance.now()
    while (received < wanted && performance.now() - since < 20_000) {
      const now = await this.#observed.received()
      if (now !== received) since = performance.now()
      received = now
      await sleep(500)
    }
    return since
  }

  /** Reads a thousand events from the middle back whole, and holds each against what was written. */
  async #identical(replayed: Played, should: BigInt64Array): Promise<[number, number]> {
    const middle = Math.floor(replayed.count / 2)
    const some = Math.min(1000, replayed.count - middle)
    const written = new Set(replayed.lines(middle, middle + some))
    const held = await this.#observed.lines(should[middle]!, should[middle + some - 1]! + 1n)
    return [held.filter(line => written.has(line)).length, some]
  }
}
