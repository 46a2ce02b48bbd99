import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { expect, it } from 'vitest'
import { Checkout, own, type Ran } from './checkout.ts'
import { now, tally } from './events.ts'
import { rows } from './table.ts'

// What the faults are tried on: one copy of the checkout, one lab in it at a time.

/** The container that plays the node. */
export const node = `${own.cluster}-control-plane`

/** Made at the first use, so that listing the tests costs nothing. */
let made: Checkout | undefined
export const checkout = (): Checkout => (made ??= new Checkout())
export const removeCheckout = (): void => made?.remove()

export const lab = (...args: string[]): Promise<Ran> => checkout().lab(args)
export const docker = (...args: string[]) => execa('docker', args, { reject: false })
export const kubectl = async (...args: string[]): Promise<string> => (await lab('kubectl', ...args)).stdout.trim()

/** One of the programs that `lab env` puts on PATH, working on the user's own kubeconfig unless it is told otherwise. */
export async function program(name: 'kind' | 'kubectl', args: string[]): Promise<string> {
  const { KUBECONFIG: _, ...env } = JSON.parse((await lab('env', '--json')).stdout) as Record<string, string>
  return (await execa(name, args, { env })).stdout
}

/** Notes about one fault, for the table. */
export interface Notes {
  saw?: string
  next?: string
  lost?: string
}

/** A test of one fault, which ends as a row of the table. A step without a note is no row: it only gets things ready. */
export function fault(name: string, run: (notes: Notes) => Promise<void>): void {
  it(name, async () => {
    const notes: Notes = {}
    const row = (next: string) => ({ fault: name, saw: notes.saw ?? '', next, lost: notes.lost ?? '' })
    try {
      await run(notes)
      rows.push(row(notes.next ?? ''))
    } catch (error) {
      // Whatever it left is nothing that the next fault should meet.
      await lab('down', '--yes')
      rows.push(row(`FAILED: ${(error instanceof Error ? error.message : String(error)).split('\n')[0]}`))
      throw error
    }
  })
}

/** What the user saw of a command that could not do its work: three lines, and no stack. @returns the first, without its head. */
export function refusal({ exitCode, stderr }: Pick<Ran, 'exitCode' | 'stderr'>): string {
  const lines = stderr.trim().split('\n')
  expect(exitCode, stderr).not.toBe(0)
  expect(lines.map(line => line.split(' ')[0]).join(' '), stderr).toMatch(/^Error (Expected )?Fix$/)
  expect(lines.filter(line => line.length > 400)).toEqual([])
  return withoutHead(lines[0]!)
}

/** The first line of a refusal, as a person would say it. */
export const withoutHead = (line: string): string => line.replace(/^Error +/, '')

/** What `lab status` says, in one line. */
export async function status(): Promise<string> {
  const ran = await lab('status')
  return ran.stdout.trim().split('\n')[0] || refusal(ran)
}

/** How long a lab that was mended may take to keep its promises again, in seconds: pods start anew, and Prometheus has to read them. */
const recovery = 150

/** `lab up` mends it: the lab stands and keeps each of its promises. */
export async function upMends(): Promise<string> {
  const began = Date.now()
  const up = await lab('up', '--json')
  expect(up.exitCode, up.stderr).toBe(0)
  const broken = async () => {
    const { stdout } = await lab('verify', '--json')
    return (JSON.parse(stdout) as { result: string }[]).filter(check => check.result === 'fail')
  }
  let failing = await broken()
  while (failing.length > 0 && Date.now() - began < (up.seconds + recovery) * 1000) failing = await broken()
  expect(failing).toEqual([])
  const { mended } = JSON.parse(up.stdout) as { mended: string[] }
  const seconds = ((Date.now() - began) / 1000).toFixed(0)
  return [`lab up, ${up.seconds.toFixed(0)} s; sound after ${seconds} s`, ...mended].join('; ')
}

/** `lab down` mends it: nothing is left, neither in Docker nor in `.lab`. */
export async function downMends(): Promise<string> {
  const down = await lab('down', '--yes')
  expect(down.exitCode, down.stderr).toBe(0)
  expect((await docker('ps', '-a', '--format', '{{.Names}}')).stdout.split('\n')).not.toContain(node)
  expect((await docker('volume', 'ls', '-q', '--filter', `label=io.x-k8s.kind.cluster=${own.cluster}`)).stdout).toBe('')
  expect(existsSync(checkout().path('.lab', 'state'))).toBe(false)
  expect(JSON.parse((await lab('status', '--json')).stdout)).toMatchObject({ state: 'down' })
  expect(await leftRunning()).toEqual([])
  return `lab down: nothing left after ${down.seconds.toFixed(0)} s`
}

/** Programs that this lab has started and that still run. */
async function leftRunning(): Promise<string[]> {
  const { stdout } = await execa('ps', ['-eo', 'pid=,args='])
  const programs = stdout
    .split('\n')
    .filter(line => /pulumi (up|destroy)|pulumi-(language|resource)-|scripts\/cluster\.ts|kind create/.test(line))
  return programs.filter(line => workedIn(Number.parseInt(line, 10)).startsWith(checkout().folder))
}

function workedIn(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    // It has ended, or this is no Linux.
    return ''
  }
}

/** A lab that stands, for a fault that needs one. */
export async function standing(): Promise<void> {
  const { exitCode, stderr } = await lab('up', '--json')
  expect(exitCode, stderr).toBe(0)
}

/** Stages of `lab up` or `lab down`, by what shows that it is reached. */
const reached = {
  'looks at the machine': () => existsSync(checkout().path('.lab', 'running.json')),
  'starts Pulumi': () => existsSync(checkout().path('.lab', 'logs', 'up.log')),
  'boots the node': async () => (await docker('inspect', node)).exitCode === 0,
  'loads images': () => logged('loading '),
  'installs releases': async () =>
    logged('the cluster is ready') &&
    (await kubectl('get', 'secrets', '-A', '-l', 'owner=helm', '-o', 'name')).includes('sh.helm.release'),
  'waits for data': () => existsSync(checkout().path('.lab', 'stood-up.json')),
  'removes the node': () => existsSync(checkout().path('.lab', 'running.json')),
} satisfies Record<string, () => boolean | Promise<boolean>>
export type Stage = keyof typeof reached

function logged(text: string): boolean {
  const log = checkout().path('.lab', 'logs', 'up.log')
  return existsSync(log) && readFileSync(log, 'utf8').includes(text)
}

/** Number of the process of the `lab` that is at work. */
export const workingLab = (): number =>
  (JSON.parse(readFileSync(checkout().path('.lab', 'running.json'), 'utf8')) as { pid: number }).pid

/**
 * Runs `lab up` or `lab down` and does something to it at a stage.
 * @throws when it ended before that stage.
 */
export async function during(
  action: 'up' | 'down',
  stage: Stage,
  interfere: () => void | Promise<void>,
): Promise<Pick<Ran, 'exitCode' | 'stderr'>> {
  // What an earlier run has left would pass for this one's.
  await execa('rm', ['-f', checkout().path('.lab', 'logs', 'up.log'), checkout().path('.lab', 'stood-up.json')])
  let ended = false
  const run = checkout().start([action, '--json', ...(action === 'down' ? ['--yes'] : [])])
  void run.then(() => {
    ended = true
  })
  while (!(await reached[stage]())) {
    if (ended) throw new Error(`lab ${action} ended before this: ${(await run).stderr}`)
    await sleep(50)
  }
  await interfere()
  const { exitCode, stderr } = await run
  return { exitCode, stderr }
}

/** Events from now on, until what is given is over: how many were lost on the way. */
export async function losing(work: () => Promise<unknown>, patience?: number): Promise<string> {
  const from = now()
  await work()
  await sleep(2000)
  const { written, missing, twice } = await tally(from, now() - 1, patience)
  expect(written).toBeGreaterThan(0)
  expect({ missing, twice }).toEqual({ missing: 0, twice: 0 })
  return `${missing} of ${written}`
}

/** Asks until it is so. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, seconds = 120): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !(await holds()); await sleep(500))
    if (Date.now() > end) throw new Error(`not so after ${seconds} s: ${what}`)
}
