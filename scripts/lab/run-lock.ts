import { rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { LabError } from '../../shared/lab-error.ts'
import { labPath } from '../../shared/paths.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { bootId } from '../kernel/decision.ts'
import { endRun, type PulumiRun } from '../pulumi/processes.ts'

const runningSchema = z.object({
  // 0 and less would mean whole groups of processes.
  pid: z.int().min(1),
  action: z.enum(['up', 'down']),
  since: z.iso.datetime(),
  /** After a reboot another process has its number. Empty where the system does not say. */
  boot: z.string().default(''),
  /** The Pulumi that it has started. */
  started: z.object({ pulumi: z.int().min(1), run: z.uuid() }).optional(),
})

type Running = z.infer<typeof runningSchema>

const file = (): string => labPath('running.json')

/** Who holds the lab; undefined where its process is gone, or the file says nothing. */
async function holder(patience: number): Promise<Running | undefined> {
  let running = readStateFile(file(), runningSchema)
  if (!running) {
    // It is made and then written: somebody may be in between.
    await sleep(patience)
    running = readStateFile(file(), runningSchema)
  }
  if (!running || (running.boot && running.boot !== bootId())) return undefined
  try {
    // Signal 0 asks only whether the process is there.
    process.kill(running.pid, 0)
    return running
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? running : undefined
  }
}

/**
 * Does something that changes the lab, while nobody else does.
 * @param patience with a file that says nothing, in milliseconds.
 * @throws LabError when another `lab up` or `lab down` of this checkout is under way.
 */
export async function withLabLock<T>(action: Running['action'], work: () => Promise<T>, patience = 200): Promise<T> {
  const running: Running = { pid: process.pid, action, since: new Date().toISOString(), boot: bootId() }
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file(), JSON.stringify(running), { flag: 'wx', mode: 0o600 })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const other = await holder(patience)
      if (other || attempt > 0)
        throw new LabError({
          found: `\`lab ${other?.action ?? 'up'}\` is under way${other ? ` since ${other.since.slice(11, 19)} UTC (process ${other.pid})` : ''}`,
          expected: 'one at a time',
          next: other ? `wait for it, or stop it: kill -INT ${other.pid}` : `./lab ${action}`,
        })
      // Its process is gone: it was killed, and what it had started may go on.
      await endWhatItStarted()
      rmSync(file(), { force: true })
    }
  }
  try {
    return await work()
  } finally {
    rmSync(file(), { force: true })
  }
}

/** Notes the Pulumi that this process has started: should this process be killed, whoever is next ends it, and what it has started. */
export function notePulumi(started: PulumiRun): void {
  const running = readStateFile(file(), runningSchema)
  if (running) writeStateFile(file(), { ...running, started })
}

async function endWhatItStarted(): Promise<void> {
  const started = readStateFile(file(), runningSchema)?.started
  if (started) await endRun(started)
}
