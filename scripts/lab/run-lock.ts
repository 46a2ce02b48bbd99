import { rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { LabError } from '../../shared/lab-error.ts'
import { stackPath } from '../../shared/stack.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { bootId } from '../kernel/boot-id.ts'
import { type PulumiRun, stopRun } from '../pulumi/processes.ts'

const lockSchema = z.object({
  // `kill` takes a pid of 0 or less as a whole process group.
  pid: z.int().min(1),
  action: z.enum(['up', 'down']),
  since: z.iso.datetime(),
  /** After a reboot another process can have the pid. Empty where the system has no boot id. */
  boot: z.string().default(''),
  /** The Pulumi that the process has started. */
  started: z.object({ pulumi: z.int().min(1), run: z.uuid() }).optional(),
})

type RunLock = z.infer<typeof lockSchema>

const lockFile = (): string => stackPath('running.json')
const readRunLock = (): RunLock | undefined => readStateFile(lockFile(), lockSchema)

/**
 * Runs `work` while no other `lab up` or `lab down` of this checkout can run.
 * @param writeMs how long another process may take to write the lock file that it has created
 * @throws LabError when another one is running.
 */
export async function withLabLock<T>(action: RunLock['action'], work: () => Promise<T>, writeMs = 200): Promise<T> {
  await acquire({ pid: process.pid, action, since: new Date().toISOString(), boot: bootId() }, writeMs)
  try {
    return await work()
  } finally {
    rmSync(lockFile(), { force: true })
  }
}

/** Records the Pulumi that this process has started, for the next `up` or `down` to stop if this process is killed. */
export function recordPulumi(started: PulumiRun): void {
  const lock = readRunLock()
  if (lock) writeStateFile(lockFile(), { ...lock, started })
}

async function acquire(lock: RunLock, writeMs: number): Promise<void> {
  if (create(lock)) return
  const other = await readOtherLock(writeMs)
  if (other && isAlive(other)) throw lockedError(lock.action, other)
  // Its process was killed. The Pulumi that it had started may still be running.
  if (other?.started) await stopRun(other.started)
  rmSync(lockFile(), { force: true })
  if (!create(lock)) throw lockedError(lock.action, readRunLock())
}

/** Creates the lock file. @returns false when it exists already. */
function create(lock: RunLock): boolean {
  try {
    writeFileSync(lockFile(), JSON.stringify(lock), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** A process creates the lock file before it writes to it, so an empty file is read a second time. */
async function readOtherLock(writeMs: number): Promise<RunLock | undefined> {
  const lock = readRunLock()
  if (lock) return lock
  await sleep(writeMs)
  return readRunLock()
}

function isAlive({ pid, boot }: RunLock): boolean {
  if (boot && boot !== bootId()) return false
  try {
    // Signal 0 only tests whether the process exists.
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const lockedError = (action: RunLock['action'], other: RunLock | undefined): LabError =>
  other
    ? new LabError({
        found: `\`lab ${other.action}\` has been running since ${other.since.slice(11, 19)} UTC (pid ${other.pid})`,
        next: `wait until it has finished, or stop it: kill -INT ${other.pid}`,
      })
    : new LabError({ found: 'Another `lab up` or `lab down` is running', next: `./lab ${action}` })
