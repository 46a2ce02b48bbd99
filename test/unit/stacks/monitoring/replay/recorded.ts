import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { parseEvents, parseSamples } from '../../../../../stacks/monitoring/replay/recording.ts'
import { recordingFolder } from '../../../../../stacks/monitoring/replay-files.ts'

// The lab's recording, and helpers to read what the replay makes of it.

const read = (name: string): Buffer => zstdDecompressSync(readFileSync(join(recordingFolder, name)))

export const recordedEvents = parseEvents(read('tetragon.log.zst'))
export const recordedSamples = parseSamples(read('metrics.jsonl.zst'))

/** What one round of the recording contains. */
export const recordedCounts = {
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

/** Writes a recording of every 18th event and every 6th sample to a folder, and returns the events. */
export function writeSmallRecording(folder: string) {
  mkdirSync(folder, { recursive: true })
  const events = recordedEvents.filter((_, index) => index % 18 === 0)
  const samples = recordedSamples.filter((_, index) => index % 6 === 5)
  const write = (name: string, lines: (string | Buffer)[]) =>
    writeFileSync(join(folder, name), zstdCompressSync(lines.join('\n')))
  write(
    'tetragon.log.zst',
    events.map(event => event.line),
  )
  write(
    'metrics.jsonl.zst',
    samples.map(sample => JSON.stringify(sample)),
  )
  return events
}

interface TetragonEvent {
  time: string
  process_exec?: unknown
  process_exit?: unknown
  process_kprobe?: { policy_name: string }
}

export const parseEvent = (line: string): TetragonEvent => JSON.parse(line)

/** Counts lines by type of event and by policy. */
export function countEvents(lines: string[]): { types: Record<string, number>; policies: Record<string, number> } {
  const types: Record<string, number> = {}
  const policies: Record<string, number> = {}
  for (const line of lines) {
    const event = parseEvent(line)
    const type = Object.keys(event)[0]!
    types[type] = (types[type] ?? 0) + 1
    const policy = event.process_kprobe?.policy_name
    if (policy) policies[policy] = (policies[policy] ?? 0) + 1
  }
  return { types, policies }
}

/** Replaces each timestamp in a line. */
export const withoutTimes = (line: string): string => line.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')

/** Returns the names of the log files in a folder, the rotated ones first. */
export const logFiles = (folder: string): string[] =>
  readdirSync(folder)
    .filter(name => name.endsWith('.log'))
    .sort((a, b) => (a === 'tetragon.log' ? 1 : b === 'tetragon.log' ? -1 : a < b ? -1 : 1))

/** Returns every line of the log files in a folder, in the order of writing. */
export const writtenLines = (folder: string): string[] =>
  logFiles(folder).flatMap(name => readFileSync(join(folder, name), 'utf8').trimEnd().split('\n'))

export interface Exposition {
  values: Map<string, number>
  types: Map<string, string>
  familyOf: Map<string, string>
  /** What is wrong with the format. */
  faults: string[]
}

/** Parses metrics in the Prometheus text format. */
export function parseExposition(text: string): Exposition {
  const values = new Map<string, number>()
  const types = new Map<string, string>()
  const familyOf = new Map<string, string>()
  const faults: string[] = []
  let family = ''
  if (!text.endsWith('\n')) faults.push('no line break at the end')
  for (const line of text.slice(0, -1).split('\n')) {
    if (/^# HELP [a-zA-Z_:][\w:]* /.test(line)) continue
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line)
    const sample =
      /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? ([+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/.exec(
        line,
      )
    if (type) {
      family = type[1]!
      if (types.has(family)) faults.push(`${family} has two TYPE lines`)
      types.set(family, type[2]!)
    } else if (sample) {
      const key = `${sample[1]}${sample[2] ?? ''}`
      const suffixes = types.get(family) === 'histogram' ? ['_bucket', '_sum', '_count'] : ['', '_sum', '_count']
      if (!suffixes.some(suffix => sample[1] === family + suffix)) faults.push(`${key} is in family ${family}`)
      if (values.has(key)) faults.push(`${key} is duplicated`)
      values.set(key, Number(sample[3]!.replace('Inf', 'Infinity')))
      familyOf.set(key, family)
    } else faults.push(line)
  }
  return { values, types, familyOf, faults }
}

/** Tells whether a series only ever increases. */
export function isCumulative(exposition: Exposition, key: string): boolean {
  const type = exposition.types.get(exposition.familyOf.get(key)!)
  return type === 'counter' || type === 'histogram' || (type === 'summary' && !key.includes('quantile='))
}
