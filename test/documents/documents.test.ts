import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import type { Status } from '../../scripts/lab/status.ts'
import { projectDir } from '../../shared/paths.ts'
import { items } from './items.ts'
import { runner } from './run.ts'
import { type Row, readRows } from './table.ts'

// The rows of docs/reference/documents.md that need a lab, as a reader runs them. Those that enforce something come first: later ones look for what
// they left in the logs.

const { stdout } = await execa('./lab', ['status', '--json'], { cwd: projectDir, reject: false })
const { state, source } = JSON.parse(stdout || '{}') as Partial<Status>
if (state !== 'up') throw new Error(`the lab is ${state ?? 'not there'}, and these rows need one that is up: ./lab up`)

const rows = readRows()
const of = (runs: Row['runs']) => rows.filter(row => row.runs === runs).map(row => [row.id, row.command] as const)
const run = runner()

/** Seconds in which what a row shows must have come: a query finds an event some seconds after it happened. */
const patience = 60

async function holds(id: string, command: string): Promise<void> {
  const { shows, hides, exit = 0 } = items[id]!
  const end = Date.now() + patience * 1000
  let { output, exitCode } = await run(command)
  while (!shows.test(output) && Date.now() < end) {
    await sleep(3000)
    ;({ output, exitCode } = await run(command, true))
  }
  expect(output).toMatch(shows)
  if (hides) expect(output).not.toMatch(hides)
  expect(exitCode).toBe(exit)
}

describe('rows that need a kernel that can trace', () => {
  test.for(of('live'))('%s: %s', async ([id, command], { skip }) => {
    if (source?.runs !== 'live') skip(`the events are a recording: ${source?.why}`)
    await holds(id, command)
  })
})

describe('rows that need a lab', () => {
  test.concurrent.for(of('replay'))('%s: %s', ([id, command]) => holds(id, command))
})
