import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { execa } from 'execa'
import type { Inventory } from '../../../scripts/doctor/inventory.ts'
import type { Status } from '../../../scripts/lab/status.ts'
import { projectDir } from '../../../shared/paths.ts'

/** The checkout of a lab that runs already, if the tests are to use one. */
const givenLab = process.env.LAB_TEST_LIVE_LAB

/** Whether the tests use a lab that runs already. They neither start nor remove it. */
export const usesGivenLab = givenLab !== undefined

/** Runs `./lab ARGS` of the tested lab. */
export const lab = (...args: string[]) =>
  execa('./lab', args, {
    cwd: givenLab === undefined ? projectDir : resolve(givenLab),
    env: { NO_COLOR: '1' },
    stdin: 'ignore',
    reject: false,
  })

/**
 * Runs `./lab ARGS --json`.
 * @throws when it prints no JSON, with what it printed instead.
 */
export async function labJson<T>(...args: string[]): Promise<{ value: T; exitCode: number | undefined }> {
  const { stdout, stderr, exitCode } = await lab(...args, '--json')
  try {
    return { value: JSON.parse(stdout) as T, exitCode }
  } catch {
    throw new Error(`./lab ${args.join(' ')} failed: ${(stderr || stdout).trim()}`)
  }
}

let inventory: Promise<Inventory> | undefined

/** Returns what `lab doctor` says. */
export const readInventory = (): Promise<Inventory> =>
  (inventory ??= labJson<Inventory>('doctor').then(({ value }) => value))

const forwards = new Set<ChildProcess>()
let forwarding = false

/** Makes the services of a lab in a cluster of the user's own reachable, as `lab status` says. */
export async function forwardPorts(): Promise<void> {
  const { addresses } = (await labJson<Status>('status')).value
  forwarding = true
  for (const command of Object.values(addresses)) if (command.startsWith('./lab ')) forward(command.split(' ').slice(1))
}

/** Keeps a port-forward running: kubectl ends it when a connection breaks. */
function forward(args: string[]): void {
  const child = spawn('./lab', args, {
    cwd: givenLab === undefined ? projectDir : resolve(givenLab),
    stdio: 'ignore',
    detached: true,
  })
  forwards.add(child)
  child.once('exit', () => {
    forwards.delete(child)
    if (forwarding) setTimeout(() => forwarding && forward(args), 1000)
  })
}

export function stopForwarding(): void {
  forwarding = false
  for (const child of forwards)
    try {
      process.kill(-child.pid!, 'SIGTERM')
    } catch {
      // It has already ended.
    }
}
