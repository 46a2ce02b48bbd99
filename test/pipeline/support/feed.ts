import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { zstdDecompressSync } from 'node:zlib'
import { projectDir } from '../../../shared/paths.ts'
import type { ExportFile } from '../../../stacks/monitoring/replay/export-file.ts'
import { parseEvents } from '../../../stacks/monitoring/replay/recording.ts'
import { shiftTimestamps } from '../../../stacks/monitoring/replay/time.ts'

const recording = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook', 'tetragon.log.zst')
const events = parseEvents(zstdDecompressSync(readFileSync(recording))).map(({ time, line }) => ({
  time,
  line: line.toString('utf8'),
}))

/** Returns a recorded event with another time, in nanoseconds since 1970. The index wraps around. */
function eventAt(index: number, time: bigint): string {
  const event = events[index % events.length]!
  return shiftTimestamps(event.line, recorded => recorded - event.time + time)
}

const nanoseconds = (milliseconds: number): bigint => BigInt(Math.round(milliseconds * 1e6))

/** Returns recorded events 10 ms apart, the last one now. By default, each recorded event once. */
export function recordedLines(count = events.length): string[] {
  const first = Date.now() - count * 10
  return Array.from({ length: count }, (_, index) => eventAt(index, nanoseconds(first + index * 10)))
}

/**
 * Returns the recorded events of the process with the most events, which only differ in their time. The first kilobytes
 * of one equal those of the next.
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

/** Writes recorded events at a steady rate until it is stopped. */
export class Feed {
  readonly #lines: string[] = []
  readonly #finished: Promise<void>
  #running = true

  constructor(file: ExportFile, eventsPerSecond: number) {
    this.#finished = this.#run(file, eventsPerSecond)
  }

  async #run(file: ExportFile, eventsPerSecond: number): Promise<void> {
    const epoch = Date.now()
    for (; this.#running; await sleep(50)) {
      const due = ((Date.now() - epoch) / 1000) * eventsPerSecond
      const batch: string[] = []
      while (this.#lines.length + batch.length < due) {
        const index = this.#lines.length + batch.length
        batch.push(eventAt(index, nanoseconds(epoch + (index / eventsPerSecond) * 1000)))
      }
      file.append(batch)
      this.#lines.push(...batch)
    }
  }

  /** Stops and returns all lines that were written. */
  async stop(): Promise<string[]> {
    this.#running = false
    await this.#finished
    return this.#lines
  }
}
