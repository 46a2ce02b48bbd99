import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'

// Programs that the lab has started and that may outlive it, when it is killed: numbers of processes are given out again, so a number alone
// says nothing, and each is looked at before it is ended.

/** What a process was started with, as `ps` shows it; undefined where there is none of that number. */
export async function argumentsOf(pid: number): Promise<string | undefined> {
  const { stdout, failed } = await execa('ps', ['-o', 'args=', '-p', String(pid)], { reject: false })
  return failed ? undefined : stdout.trim()
}

/** Whether the process of that number runs Pulumi's engine. */
export const isPulumi = async (pid: number): Promise<boolean> =>
  /^\S*\bpulumi (up|destroy|refresh|preview)\b/.test((await argumentsOf(pid)) ?? '')

/**
 * Ends a process that leads its group: asks it first, and does not ask any more after a while.
 * @param seconds how long it may take to end in order
 */
export async function endGroup(pid: number, seconds = 20): Promise<void> {
  signal(pid, 'SIGINT')
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(200)) if (!signal(pid, 0)) return
  signal(-pid, 'SIGKILL')
}

/** Sends a signal, or with 0 none. @returns whether there is such a process. */
function signal(pid: number, which: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, which)
    return true
  } catch {
    return false
  }
}
