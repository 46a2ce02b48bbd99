import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it, type TestContext } from 'vitest'
import { exerciseNames } from '../../scripts/exercise/definition/exercises.ts'
import type { WalkStep } from '../../scripts/exercise/walk/walk-step.ts'
import type { Status } from '../../scripts/lab/status.ts'
import { type CatalogEntry, readCatalog } from '../../scripts/policy/catalog.ts'
import type { TrialResult } from '../../scripts/policy/trial/try-policy.ts'
import type { VerifyCheck } from '../../scripts/verify/verify-check.ts'
import { forwardPorts, lab, labJson, readInventory, stopForwarding, usesGivenLab } from './support/live-lab.ts'
import { liveRows, tableOf } from './support/live-table.ts'

// A lab on a kernel that can trace: every policy is triggered and observed, and every exercise walked. Each part becomes
// a row of the table at the end, which LAB_TEST_TABLE=FILE also saves.
//   LAB_TEST_LIVE_LAB=FOLDER   the checkout of a lab that is up already; the tests leave it up
//   LAB_TEST_LIVE_ONLY=NAMES   parts to run, separated by commas, as in verify,deny-shadow,08-refuse-or-kill
//   LAB_TIME_FACTOR=N          a slow machine gets N times as long

const catalog = readCatalog()
const exercises = exerciseNames()
const parts = ['doctor', 'up', 'verify', ...catalog.map(({ name }) => name), ...exercises, 'down']
const only = (process.env.LAB_TEST_LIVE_ONLY || parts.join()).split(',').map(name => name.trim())
const unknown = only.filter(name => !parts.includes(name))
if (unknown.length > 0)
  throw new Error(`LAB_TEST_LIVE_ONLY has no part ${unknown.join(', ')}; there are ${parts.join(', ')}`)

/** Defines the test of one part. @param run returns what was seen, and throws when it is not what was promised. */
function part(name: string, run: (context: TestContext) => Promise<string>): void {
  if (!only.includes(name)) return
  it(name, async context => {
    const startedAt = performance.now()
    const record = (result: 'passed' | 'failed' | 'skipped', detail: string): void =>
      void liveRows.push({ part: name, result, seconds: (performance.now() - startedAt) / 1000, detail })
    try {
      record('passed', await run(context))
    } catch (error) {
      if (error instanceof Skip) {
        record('skipped', error.message)
        context.skip(error.message)
      }
      record('failed', (error as Error).message)
      throw error
    }
  })
}

/** Fails with the problems, if there are any. */
function requireNone(problems: string[]): void {
  if (problems.length > 0) throw new Error(problems.join('; '))
}

/** Thrown by a part that cannot run here, with the reason. */
class Skip extends Error {}

let started = false

beforeAll(async () => {
  const { state, source } = (await labJson<Status>('status')).value
  if (!usesGivenLab) {
    if (state !== 'down') throw new Error('A lab is up already. To test it: LAB_TEST_LIVE_LAB=. ./lab test live')
    return
  }
  if (source?.runs !== 'live') throw new Error(`The lab to test is not live: ${source?.why ?? state}`)
  await forwardPorts()
})

afterAll(async () => {
  stopForwarding()
  if (started) await lab('down', '--yes')
  const table = tableOf(liveRows)
  process.stdout.write(`\n${table}\n`)
  if (process.env.LAB_TEST_TABLE) writeFileSync(process.env.LAB_TEST_TABLE, `${table}\n`)
})

part('doctor', async () => {
  const { machine, checks } = await readInventory()
  const failed = checks.filter(({ level }) => level === 'fail')
  requireNone(failed.map(({ title, found }) => `${title}: ${found}`))
  expect(machine.source).toBe('live')
  return machine.why
})

part('up', async () => {
  if (usesGivenLab) throw new Skip('the lab is up already')
  started = true
  const { exitCode, stdout, stderr } = await lab('up', '--json')
  expect(exitCode, stderr).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ source: 'live' })
  return 'the agent runs'
})

part('verify', async () => {
  const { value: checks } = await labJson<VerifyCheck[]>('verify')
  const failed = checks.filter(({ result }) => result === 'fail')
  requireNone(failed.map(({ title, found }) => `${title}: ${found}`))
  return `${checks.length} checks`
})

for (const entry of catalog)
  part(entry.name, async () => {
    await requireFeatures(entry)
    const { value } = await labJson<TrialResult>('policy', 'try', entry.name, '--timeout', '120')
    const failed = value.checks.filter(({ passed }) => !passed)
    requireNone(failed.map(({ claim, found }) => `it ${claim}: ${found}`))
    expect(value.checks.length).toBeGreaterThan(1)
    return summaryOf(value)
  })

async function requireFeatures({ features }: CatalogEntry): Promise<void> {
  const { machine } = await readInventory()
  const missing = features.filter(feature => machine.features?.[feature] === false)
  if (missing.length > 0) throw new Skip(`the kernel lacks ${missing.join(', ')}`)
}

function summaryOf({ exitCode, output, events, counts }: TrialResult): string {
  const [counted] = Object.entries(counts ?? {})
  const printed = output.split('\n').find(line => /denied|permitted|Killed/.test(line))
  const events_ = `${events.length} event${events.length === 1 ? '' : 's'}`
  return [`exit code ${exitCode}`, printed, events_, counted && `${counted[0]} ${counted[1]}`]
    .filter(Boolean)
    .join('; ')
}

for (const name of exercises)
  part(name, async () => {
    const { value: steps } = await labJson<WalkStep[]>('exercise', 'test', name)
    const failed = steps.filter(({ result }) => result === 'fail')
    requireNone(failed.map(({ what, found }) => `${what}: ${found}`))
    const skipped = steps.filter(({ result }) => result === 'skip')
    return `${steps.length - skipped.length} steps${skipped.length > 0 ? `, ${skipped.length} skipped: ${skipped[0]!.found}` : ''}`
  })

part('down', async () => {
  if (usesGivenLab) throw new Skip('the lab was up before')
  const { exitCode, stderr } = await lab('down', '--yes')
  started = false
  expect(exitCode, stderr).toBe(0)
  expect((await labJson<Status>('status')).value.state).toBe('down')
  return 'nothing is left'
})
