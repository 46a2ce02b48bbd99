import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import type { Status } from '../../scripts/lab/status.ts'
import { projectDir } from '../../shared/paths.ts'
import { items } from './items.ts'
import { runner } from './run.ts'
import { type Row, readRows } from './table.ts'

// Runs the rows of docs/reference/documents.md that need a lab, as a reader would. Rows that enforce a policy come
// first, because later rows look for their events.

const { stdout } = await execa('./lab', ['status', '--json'], { cwd: projectDir, reject: false })
const { state, source } = JSON.parse(stdout || '{}') as Partial<Status>
if (state !== 'up')
  throw new Error(`the lab is ${state ?? 'not running'}, and these tests need a running one: ./lab up`)

const rows = readRows()
const rowsFor = (runs: Row['runs']) => rows.filter(row => row.runs === runs).map(row => [row.id, row.command] as const)
const run = runner()

/** How long to repeat a command: an event reaches Loki a few seconds after it happened. */
const timeoutMs = 60_000

async function expectOutput(id: string, command: string): Promise<void> {
  const { shows, hides, exit = 0 } = items[id]!
  const end = Date.now() + timeoutMs
  let { output, exitCode } = await run(command)
  while (!shows.test(output) && Date.now() < end) {
    await sleep(3000)
    ;({ output, exitCode } = await run(command, true))
  }
  expect(output).toMatch(shows)
  if (hides) expect(output).not.toMatch(hides)
  expect(exitCode).toBe(exit)
}

describe('with a live agent, every command prints what its row says', () => {
  test.for(rowsFor('live'))('%s: %s', async ([id, command], { skip }) => {
    if (source?.runs !== 'live') skip(`the lab replays a recording: ${source?.why}`)
    await expectOutput(id, command)
  })
})

describe('with any lab, every command prints what its row says', () => {
  test.concurrent.for(rowsFor('replay'))('%s: %s', ([id, command]) => expectOutput(id, command))
})
