import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { LabError } from '../stacks/error.ts'
import { labPath } from '../stacks/paths.ts'
import { endGroup, isPulumi } from './programs.ts'

interface Running {
  pid: number
  action: string
  since: string
  /** The Pulumi that it has started, in a group of its own. */
  pulumi?: number
}

const file = (): string => labPath('running.json')

function holder(): Running | undefined {
  try {
    const running = JSON.parse(readFileSync(file(), 'utf8')) as Running
    // Signal 0 asks only whether the process is there.
    process.kill(running.pid, 0)
    return running
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
      ? (JSON.parse(readFileSync(file(), 'utf8')) as Running)
      : undefined
  }
}

/**
 * Does something that changes the lab, while nobody else does.
 * @throws LabError when another `lab up` or `lab down` of this checkout is under way.
 */
export async function alone<T>(action: string, work: () => Promise<T>): Promise<T> {
  const running: Running = { pid: process.pid, action, since: new Date().toISOString() }
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file(), JSON.stringify(running), { flag: 'wx', mode: 0o600 })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const other = holder()
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

/** Notes the Pulumi that this process has started: should this process be killed, whoever is next ends it. */
export function notePulumi(pid: number): void {
  const running = JSON.parse(readFileSync(file(), 'utf8')) as Running
  writeFileSync(file(), JSON.stringify({ ...running, pulumi: pid }), { mode: 0o600 })
}

async function endWhatItStarted(): Promise<void> {
  const { pulumi } = JSON.parse(readFileSync(file(), 'utf8')) as Running
  if (pulumi && (await isPulumi(pulumi))) await endGroup(pulumi)
}
