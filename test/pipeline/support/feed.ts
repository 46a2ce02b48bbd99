import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { projectDir } from '../../../shared/paths.ts'
import type { ExportFile } from '../../../stacks/monitoring/replay/export-file.ts'
import { parseEvents } from '../../../stacks/monitoring/replay/recording.ts'
import { shiftTimestamps } from '../../../stacks/monitoring/replay/time.ts'

const recording = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook', 'tetragon.log.gz')
const events = parseEvents(gunzipSync(readFileSync(recording))).map(({ time, line }) => ({
  time,
  line: line.toString('utf8'),
}))

/** The recorded event number `index` (after the last comes the first again) as if it had happened at `time`, in nanoseconds since 1970. */
function at(index: number, time: bigint): string {
  const event = events[index % events.length]!
  return shiftTimestamps(event.line, recorded => recorded - event.time + time)
}

const nanoseconds = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1e6))

/** The recorded events as if they had happened a hundredth of a second apart, the last just now; `count` of them, all of them once by default. */
export function recordedLines(count = events.length): string[] {
  const first = Date.now() - count * 10
  return Array.from({ length: count }, (_, index) => at(index, nanoseconds(first + index * 10)))
}

/**
 * Recorded events of the process that has the most of them, each with a time of its own and all else as it was recorded: so much alike that
 * the first kilobytes of one are those of the next.
 */
export function linesOfOneProcess(): string[] {
  const lines = events.map(({ line }) => line)
  const byProcess = Map.groupBy(lines, line => /"exec_id":"[^"]+"/.exec(line)![0])
  const [most] = [...byProcess.values()].sort((a, b) => b.length - a.length)
  const first = Date.now() - most!.length * 10
  return most!.map((line, index) => {
    const time = line.lastIndexOf('"time":"')
    return line.slice(0, time) + shiftTimestamps(line.slice(time), () => nanoseconds(first + index * 10))
  })
}

/** Writes recorded events at a steady pace, each with the time at which it is due, until it is told to stop. */
export class Feed {
  readonly #lines: string[] = []
  readonly #running: Promise<void>
  #on = true

  constructor(file: ExportFile, eventsPerSecond: number) {
    this.#running = this.#run(file, eventsPerSecond)
  }

  async #run(file: ExportFile, eventsPerSecond: number): Promise<void> {
    const epoch = Date.now()
    for (; this.#on; await sleep(50)) {
      const due = ((Date.now() - epoch) / 1000) * eventsPerSecond
      const batch: string[] = []
      while (this.#lines.length + batch.length < due) {
        const index = this.#lines.length + batch.length
        batch.push(at(index, nanoseconds(epoch + (index / eventsPerSecond) * 1000)))
      }
      file.append(batch)
      this.#lines.push(...batch)
    }
  }

  /** Ends it, and gives all that was written. */
  async stop(): Promise<string[]> {
    this.#on = false
    await this.#running
    return this.#lines
  }
}
