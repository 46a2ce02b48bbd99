import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// What one run keeps between its parts, so that each part can be started alone.

/** The parts in their order. `LAB_TEST_PRODUCTION_PARTS` chooses some, as in `kill-loki,total`. */
export const parts = [
  'cluster',
  'wrong-key',
  'up',
  'verify',
  'up-again',
  'gitops',
  'kill-loki',
  'kill-prometheus',
  'kill-gateway',
  'kill-shipper',
  'kill-node',
  's3-outage',
  'total',
  'secrets',
  'down',
  'upgrade',
  'clean',
] as const
export type Part = (typeof parts)[number]

/** Returns the parts to run. @throws Error for an unknown name. */
export function chosenParts(text = process.env.LAB_TEST_PRODUCTION_PARTS ?? ''): Part[] {
  const names = text.split(',').filter(Boolean)
  const unknown = names.find(name => !parts.includes(name as Part))
  if (unknown) throw new Error(`LAB_TEST_PRODUCTION_PARTS names ${unknown}; the parts are ${parts.join(', ')}`)
  return names.length === 0 ? [...parts] : parts.filter(part => names.includes(part))
}

/** How long the S3 server is away, in seconds. */
export const outageSeconds = Number(process.env.LAB_TEST_PRODUCTION_OUTAGE || 300)
/** Events a second of each node. */
export const eventsPerNode = Number(process.env.LAB_TEST_PRODUCTION_RATE || 20)
/** A lock file with charts one version older, for the part `upgrade`. */
export const olderLock = process.env.LAB_TEST_PRODUCTION_OLDER_LOCK ?? ''

/** The folder of the run: the checkout, the kubeconfig and what the parts note. */
export const runFolder = process.env.LAB_TEST_PRODUCTION_DIR || join(tmpdir(), 'lab-production')

/** Returns what an earlier part has noted. */
export function readNote<T>(name: string): T | undefined {
  const file = join(runFolder, `${name}.json`)
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined
}

/** Notes something for later parts, readable only by this user. */
export function writeNote(name: string, value: unknown): void {
  mkdirSync(runFolder, { recursive: true, mode: 0o700 })
  writeFileSync(join(runFolder, `${name}.json`), JSON.stringify(value, null, 2), { mode: 0o600 })
}

/** Returns what an earlier part has noted. @throws Error that names the part to run first. */
export function requireNote<T>(name: string, part: Part): T {
  const note = readNote<T>(name)
  if (note === undefined) throw new Error(`Run the part ${part} first: ${runFolder} has no ${name}.json`)
  return note
}

/** Removes what the run has kept, except the table of counts. */
export function forgetRun(): void {
  for (const name of readdirSync(runFolder).filter(name => name !== 'counts.json'))
    rmSync(join(runFolder, name), { recursive: true, force: true })
}

export const nowInSeconds = (): number => Math.floor(Date.now() / 1000)
