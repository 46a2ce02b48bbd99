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
  /^(.*\/)?pulumi (up|destroy|refresh|preview)\b/.test((await argumentsOf(pid)) ?? '')

/**
 * What a program finds in its environment that Pulumi has started, or one of those in turn. Whose parent is dead it still tells apart: a Pulumi that
 * is killed leaves its plugins behind, and they finish what they were at.
 */
export const runVariable = 'LAB_RUN'

/** A Pulumi that the lab has started. */
export interface PulumiRun {
  /** Number of its process. */
  pulumi: number
  /** What it has in `LAB_RUN`, and no other. */
  run: string
}

/**
 * Ends a Pulumi, and whatever it has started that is left: asks Pulumi first, and does not ask any more after a while.
 * @param seconds how long it may take to end in order
 */
export async function endRun({ pulumi, run }: PulumiRun, seconds = 20): Promise<void> {
  if (await isPulumi(pulumi)) {
    signal(pulumi, 'SIGINT')
    for (const end = Date.now() + seconds * 1000; Date.now() < end && signal(pulumi, 0); ) await sleep(200)
  }
  await endLeft(run)
}

/** Ends what is left of a run, at once. What is being started meanwhile is found the next time round. */
export async function endLeft(run: string): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const left = await processesOf(run)
    if (left.length === 0) return
    for (const pid of left) signal(pid, 'SIGKILL')
    await sleep(100)
  }
}

/** Numbers of the processes of a run. */
export async function processesOf(run: string): Promise<number[]> {
  // With their environment, which the two families of ps ask for in ways of their own.
  const all = process.platform === 'darwin' ? ['-axwwE', '-o', 'pid=,command='] : ['axeww', '-o', 'pid=,args=']
  const { stdout } = await execa('ps', all, { reject: false })
  const lines = stdout.split('\n').filter(line => line.includes(` ${runVariable}=${run}`))
  return lines.map(line => Number.parseInt(line, 10))
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
