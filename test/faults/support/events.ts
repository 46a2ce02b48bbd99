import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { exportFile } from '../../../shared/names.ts'
import { own } from './checkout.ts'
import { node } from './world.ts'

// What was written against what arrived, event by event: the files on the node, and Loki over HTTP.

const loki = `http://127.0.0.1:${own.ports.loki}/loki/api/v1`

/** What became of the events of a span of time. */
export interface Tally {
  written: number
  missing: number
  /** How many are in Loki more often than they were written. */
  twice: number
}

/** Lines with the seconds since 1970 at which they happened, of the span from `from` up to, but without, `to`. */
async function inFiles(from: number, to: number): Promise<string[]> {
  const { stdout } = await execa(
    'docker',
    ['exec', node, 'sh', '-c', `cat ${exportFile.directory}/${exportFile.pattern}`],
    { maxBuffer: 2 ** 30 },
  )
  return stdout.split('\n').filter(line => {
    const time = secondsOf(line)
    return time !== undefined && time >= from && time < to
  })
}

/** The event's own time, which comes last in its line. */
function secondsOf(line: string): number | undefined {
  const found = /"time":"([^"]+)"[^"]*$|"time":"([^"]+)"(?!.*"time":")/.exec(line.slice(-400))
  const text = found?.[1] ?? found?.[2]
  return text === undefined ? undefined : Date.parse(text) / 1000
}

async function inLoki(from: number, to: number): Promise<string[]> {
  const found: string[] = []
  // Second by second in small steps: an answer holds at most so many lines.
  for (let start = from; start < to; start += 5) {
    const parameters = new URLSearchParams({
      query: '{service_name="tetragon"}',
      start: `${start}000000000`,
      end: `${Math.min(start + 5, to)}000000000`,
      limit: '5000',
      direction: 'forward',
    })
    const answer = await fetch(`${loki}/query_range?${parameters}`)
    if (!answer.ok) throw new Error(`Loki answers ${answer.status}: ${await answer.text()}`)
    const { data } = (await answer.json()) as { data: { result: { values: [string, string][] }[] } }
    const lines = data.result.flatMap(({ values }) => values.map(([, line]) => line))
    if (lines.length === 5000) throw new Error('more events in five seconds than one answer of Loki holds')
    found.push(...lines)
  }
  return found
}

/**
 * Compares both ends, and gives what is late the time to arrive.
 * @param from seconds since 1970, whole
 * @param to the same; must be over
 * @param patience seconds
 */
export async function tally(from: number, to: number, patience = 120): Promise<Tally> {
  const written = await inFiles(from, to)
  for (const end = Date.now() + patience * 1000; ; await sleep(3000)) {
    const left = new Map<string, number>()
    for (const line of written) left.set(line, (left.get(line) ?? 0) + 1)
    let twice = 0
    for (const line of await inLoki(from, to)) {
      const open = left.get(line) ?? 0
      if (open > 0) left.set(line, open - 1)
      else twice++
    }
    const missing = [...left.values()].reduce((sum, count) => sum + count, 0)
    if (missing === 0 || Date.now() > end) return { written: written.length, missing, twice }
  }
}

/** Now, in whole seconds since 1970. */
export const now = (): number => Math.floor(Date.now() / 1000)
