import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import { floorDiv, parseTime } from './time.ts'

/** An event as it was recorded. */
export interface RecordedEvent {
  /** Nanoseconds since 1970. */
  time: bigint
  /** The JSON. It is a view into the decompressed file, so that the file is in memory only once. */
  line: Buffer
}

/** A recorded answer of Tetragon's /metrics endpoint. */
export interface Sample {
  /** Seconds since 1970. */
  time: number
  /** The answer, in the Prometheus text format. */
  text: string
}

/** Reports a recording that cannot be played, and names the file and the line. */
export class RecordingError extends Error {}

/**
 * Reads the recording in a folder.
 * @param eventsPerSecond how fast to play it, on average
 * @throws RecordingError if a file is missing, truncated or not a recording
 */
export function readRecording(
  folder: string,
  eventsPerSecond: number,
): { events: RecordedEvent[]; schedule: Schedule; samples: Sample[] } {
  const eventsFile = join(folder, 'tetragon.log.zst')
  const events = readCompressed(eventsFile, parseEvents)
  const schedule = inFile(eventsFile, () => new Schedule(events, eventsPerSecond))
  const samples = readCompressed(join(folder, 'metrics.jsonl.zst'), parseSamples)
  return { events, schedule, samples }
}

const readCompressed = <T>(file: string, parse: (text: Buffer) => T): T =>
  inFile(file, () => parse(zstdDecompressSync(readFileSync(file))))

/** Adds the name of the file to an error message that does not contain it. */
function inFile<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const message = messageOf(error)
    throw new RecordingError(message.includes(file) ? message : `${file}: ${message}`)
  }
}

/**
 * Parses events and sorts them by time: Tetragon holds some events back until it knows their pod.
 * @param text one JSON object per line
 * @throws RecordingError if a line is not an event
 */
export const parseEvents = (text: Buffer): RecordedEvent[] =>
  parseLines(text, ({ time }, line) => ({ time: parseTime(time as string), line })).sort((a, b) =>
    a.time < b.time ? -1 : a.time > b.time ? 1 : 0,
  )

/**
 * Parses samples of the metrics.
 * @param text one JSON object per line
 * @throws RecordingError if a line is not a sample, or there is none
 */
export function parseSamples(text: Buffer): Sample[] {
  const samples = parseLines(text, ({ time, text }) => {
    if (!Number.isFinite(time) || typeof text !== 'string') throw new Error('A sample needs a time and a text')
    return { time: time as number, text }
  })
  if (samples.length === 0) throw new RecordingError('the recording has no metrics')
  return samples
}

function parseLines<T>(text: Buffer, parse: (object: Record<string, unknown>, line: Buffer) => T): T[] {
  return [...nonEmptyLines(text)].map((line, index) => {
    try {
      return parse(JSON.parse(line.toString('utf8')) ?? {}, line)
    } catch (error) {
      throw new RecordingError(`line ${index + 1}: ${messageOf(error)}`)
    }
  })
}

function* nonEmptyLines(text: Buffer): Generator<Buffer> {
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf(10, start)
    const end = newline < 0 ? text.length : newline
    if (end > start) yield text.subarray(start, end)
    start = end + 1
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Maps times in the recording to times at which they are played. The recording is played in rounds without a pause
 * between them: round 0 starts at `epoch` (milliseconds since 1970), round n at `epoch + n * roundMs`.
 */
export class Schedule {
  /** Time of the first event, in nanoseconds since 1970. */
  readonly firstEventNs: bigint
  /** Duration of a round as recorded: from the first event to the last, plus one average pause. */
  readonly recordedNs: bigint
  /** Duration of a round as played. */
  readonly playedNs: bigint
  readonly roundMs: number
  /** How many times faster than recorded. */
  readonly speed: number
  /** When to play each event, in milliseconds after the start of its round. */
  readonly dueMs: number[]

  /**
   * @param events sorted by time
   * @param eventsPerSecond on average
   * @throws RecordingError if there are fewer than two different times
   */
  constructor(events: readonly RecordedEvent[], eventsPerSecond: number) {
    const first = events[0]?.time
    const last = events.at(-1)?.time
    if (first === undefined || last === undefined || first === last)
      throw new RecordingError('the recording has fewer than two events')
    const count = BigInt(events.length)
    this.firstEventNs = first
    this.recordedNs = ((last - first) * count) / (count - 1n)
    this.playedNs = BigInt(Math.round((events.length / eventsPerSecond) * 1e9))
    this.roundMs = Number(this.playedNs) / 1e6
    this.speed = Number(this.recordedNs) / Number(this.playedNs)
    this.dueMs = events.map(event => Number(((event.time - first) * this.playedNs) / this.recordedNs) / 1e6)
  }

  /** Returns the time (ns) at which a time in the recording (ns) is played in a round. */
  toPlayedTime(recorded: bigint, round: number, epoch: number): bigint {
    const start = BigInt(Math.round(epoch)) * 1_000_000n + BigInt(round) * this.playedNs
    return start + floorDiv((recorded - this.firstEventNs) * this.playedNs, this.recordedNs)
  }

  /** Returns the position in the recording at a time: the round, and the recorded seconds since the first event. */
  position(now: number, epoch: number): { round: number; seconds: number } {
    const rounds = (now - epoch) / this.roundMs
    const round = Math.floor(rounds)
    return { round, seconds: ((rounds - round) * Number(this.recordedNs)) / 1e9 }
  }
}
