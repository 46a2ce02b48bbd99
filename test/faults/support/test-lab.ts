import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { imageVolumeName } from '../../../scripts/cluster/image-volume.ts'
import { Checkout, type CommandResult, testLab } from './checkout.ts'
import { nowInSeconds, tallyEvents } from './event-tally.ts'
import { faultRows } from './fault-table.ts'

// One copy of the checkout, with at most one lab in it.

/** The container that is the node. */
export const node = `${testLab.cluster}-control-plane`

/** Created on first use, so that listing the tests is fast. */
let checkoutCopy: Checkout | undefined
export const checkout = (): Checkout => (checkoutCopy ??= new Checkout())
export const removeCheckout = (): void => checkoutCopy?.remove()

export const lab = (...args: string[]): Promise<CommandResult> => checkout().lab(args)
export const docker = (...args: string[]) => execa('docker', args, { reject: false })
export const kubectl = async (...args: string[]): Promise<string> => (await lab('kubectl', ...args)).stdout.trim()

/** Runs a program of the lab, but with the user's own kubeconfig. */
export async function runProgram(name: 'kind' | 'kubectl', args: string[]): Promise<string> {
  const { KUBECONFIG: _, ...env } = JSON.parse((await lab('env', '--json')).stdout) as Record<string, string>
  return (await execa(name, args, { env })).stdout
}

/** The columns that a test of a fault fills in. */
export interface Notes {
  message?: string
  recovery?: string
  /** As in "0 of 1200". */
  lost?: string
}

/** Defines the test of one fault, whose outcome becomes a row of the table. */
export function faultTest(name: string, run: (notes: Notes) => Promise<void>): void {
  it(name, async () => {
    const notes: Notes = {}
    const row = (recovery: string) => ({ fault: name, message: notes.message ?? '', recovery })
    try {
      await run(notes)
      const loss = notes.lost && `${notes.lost} events lost`
      faultRows.push(row([notes.recovery, loss].filter(Boolean).join('; ')))
    } catch (error) {
      // The next fault must start without the remains of this one.
      await lab('down', '--yes')
      faultRows.push(row(`FAILED: ${(error instanceof Error ? error.message : String(error)).split('\n')[0]}`))
      throw error
    }
  })
}

/**
 * Checks that a command failed with an error of two or three lines and without a stack trace.
 * @returns its first line, without the label.
 */
export function errorOf({ exitCode, stderr }: Pick<CommandResult, 'exitCode' | 'stderr'>): string {
  const lines = stderr.trim().split('\n')
  expect(exitCode, stderr).not.toBe(0)
  expect(lines.map(line => line.split(' ')[0]).join(' '), stderr).toMatch(/^Error (Expected )?Fix$/)
  expect(lines.filter(line => line.length > 400)).toEqual([])
  return withoutLabel(lines[0]!)
}

export const withoutLabel = (line: string): string => line.replace(/^Error +/, '')

/** Returns the first line of `lab status`. */
export async function statusLine(): Promise<string> {
  const result = await lab('status')
  return result.stdout.trim().split('\n')[0] || errorOf(result)
}

/** How long `lab verify` may fail after a repair, while pods restart and Prometheus scrapes them again. */
export const recoverySeconds = 150

/**
 * Checks that `lab up` succeeds and that `lab verify` passes afterwards.
 * @param seconds how long it may fail.
 * @returns what it did, for the table.
 */
export async function upRepairs(seconds = recoverySeconds): Promise<string> {
  const start = Date.now()
  const up = await lab('up', '--json')
  expect(up.exitCode, up.stderr).toBe(0)
  const failedChecks = async () => {
    const { stdout } = await lab('verify', '--json')
    return (JSON.parse(stdout) as { result: string }[]).filter(check => check.result === 'fail')
  }
  let failed = await failedChecks()
  while (failed.length > 0 && Date.now() - start < (up.seconds + seconds) * 1000) failed = await failedChecks()
  expect(failed).toEqual([])
  const { mended } = JSON.parse(up.stdout) as { mended: string[] }
  const recovered = ((Date.now() - start) / 1000).toFixed(0)
  return [`lab up, ${up.seconds.toFixed(0)} s; healthy after ${recovered} s`, ...mended].join('; ')
}

/** Checks that `lab down` leaves nothing in Docker or `.lab` and no process. @returns what it did, for the table. */
export async function downRemovesAll(): Promise<string> {
  const down = await lab('down', '--yes')
  expect(down.exitCode, down.stderr).toBe(0)
  expect((await docker('ps', '-a', '--format', '{{.Names}}')).stdout.split('\n')).not.toContain(node)
  expect(
    (await docker('volume', 'ls', '-q', '--filter', `label=io.x-k8s.kind.cluster=${testLab.cluster}`)).stdout,
  ).toBe('')
  expect(existsSync(checkout().path('.lab', 'state'))).toBe(false)
  expect(JSON.parse((await lab('status', '--json')).stdout)).toMatchObject({ state: 'down' })
  expect(await leftoverProcesses()).toEqual([])
  return `lab down: nothing left after ${down.seconds.toFixed(0)} s`
}

/** Returns the programs that this lab has started and that are still running. */
async function leftoverProcesses(): Promise<string[]> {
  const { stdout } = await execa('ps', ['-eo', 'pid=,args='])
  const programs = stdout
    .split('\n')
    .filter(line =>
      /pulumi (up|destroy)|pulumi-(language|resource)-|scripts\/cluster\/resource-command\.ts|kind create/.test(line),
    )
  return programs.filter(line => workingFolder(Number.parseInt(line, 10)).startsWith(checkout().folder))
}

function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    // The process has ended, or this is not Linux.
    return ''
  }
}

/** Removes the node's images, which `lab down` leaves, so that the next `up` copies them. Needs no node. */
export const forgetImages = () => docker('volume', 'rm', imageVolumeName(testLab.cluster))

export async function startLab(): Promise<void> {
  const { exitCode, stderr } = await lab('up', '--json')
  expect(exitCode, stderr).toBe(0)
}

/** Returns whether a stage of `lab up` or `lab down` has been reached. */
const stageReached = {
  'checks the machine': () => existsSync(checkout().path('.lab', 'running.json')),
  'starts Pulumi': () => existsSync(checkout().path('.lab', 'logs', 'up.log')),
  'boots the node': async () => (await docker('inspect', node)).exitCode === 0,
  'loads images': () => logged('loading '),
  'installs releases': async () =>
    logged('the API responds') &&
    (await kubectl('get', 'secrets', '-A', '-l', 'owner=helm', '-o', 'name')).includes('sh.helm.release'),
  'waits for data': () => existsSync(checkout().path('.lab', 'stood-up.json')),
  'removes the node': () => existsSync(checkout().path('.lab', 'running.json')),
} satisfies Record<string, () => boolean | Promise<boolean>>
export type Stage = keyof typeof stageReached

function logged(text: string): boolean {
  const log = checkout().path('.lab', 'logs', 'up.log')
  return existsSync(log) && readFileSync(log, 'utf8').includes(text)
}

/** Returns the pid of the running `lab up` or `lab down`. */
export const runningLabPid = (): number =>
  (JSON.parse(readFileSync(checkout().path('.lab', 'running.json'), 'utf8')) as { pid: number }).pid

/**
 * Runs `lab up` or `lab down` and interferes when it has reached a stage.
 * @throws when it ends before that stage.
 */
export async function runAndInterfere(
  action: 'up' | 'down',
  stage: Stage,
  interfere: () => void | Promise<void>,
): Promise<Pick<CommandResult, 'exitCode' | 'stderr'>> {
  // Files of an earlier run would look like a stage of this one.
  await execa('rm', ['-f', checkout().path('.lab', 'logs', 'up.log'), checkout().path('.lab', 'stood-up.json')])
  let ended = false
  const run = checkout().start([action, '--json', ...(action === 'down' ? ['--yes'] : [])])
  void run.then(() => {
    ended = true
  })
  while (!(await stageReached[stage]())) {
    if (ended) throw new Error(`lab ${action} ended before the stage "${stage}": ${(await run).stderr}`)
    await sleep(50)
  }
  await interfere()
  const { exitCode, stderr } = await run
  return { exitCode, stderr }
}

/**
 * Checks that no event is lost or duplicated while something happens to the pipeline.
 * @returns the loss, for the table.
 */
export async function countLosses(work: () => Promise<unknown>, timeoutSeconds?: number): Promise<string> {
  const from = nowInSeconds()
  await work()
  await sleep(2000)
  const { written, missing, duplicates } = await tallyEvents(from, nowInSeconds() - 1, timeoutSeconds)
  expect(written).toBeGreaterThan(0)
  expect({ missing, duplicates }).toEqual({ missing: 0, duplicates: 0 })
  return `${missing} of ${written}`
}

export async function waitFor(what: string, holds: () => boolean | Promise<boolean>, seconds = 120): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; !(await holds()); await sleep(500))
    if (Date.now() > deadline) throw new Error(`Still waiting after ${seconds} s: ${what}`)
}
