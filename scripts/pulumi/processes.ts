import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'

// Finds and ends the programs that a killed `lab up` left behind. The system reuses process ids, so each process is
// identified by its command line or its environment before it is ended.

/** A `pulumi` that the lab started. */
export interface PulumiRun {
  /** Its process id. */
  pulumi: number
  /** Its value of `LAB_RUN`, which no other run has. */
  run: string
}

/**
 * An environment variable that every program of a Pulumi run inherits. It finds the plugins of a killed Pulumi: they
 * have lost their parent, and finish what they were doing.
 */
export const runVariable = 'LAB_RUN'

/** Returns whether the process is a Pulumi that works on a stack. */
export async function isPulumi(pid: number): Promise<boolean> {
  const { stdout } = await execa('ps', ['-o', 'args=', '-p', String(pid)], { reject: false })
  return /^(.*\/)?pulumi (up|destroy|refresh|preview)\b/.test(stdout.trim())
}

/**
 * Interrupts a Pulumi run and waits for it to end, then kills what is left of it.
 * @param timeoutMs how long Pulumi may take after the interrupt
 */
export async function stopRun({ pulumi, run }: PulumiRun, timeoutMs = 20_000): Promise<void> {
  if (await isPulumi(pulumi)) {
    send(pulumi, 'SIGINT')
    for (const deadline = Date.now() + timeoutMs; Date.now() < deadline && send(pulumi, 0); ) await sleep(200)
  }
  await killRun(run)
}

/** Kills every process of a run. A process that is started meanwhile is killed in the next round. */
export async function killRun(run: string): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const pids = await processesOf(run)
    if (pids.length === 0) return
    for (const pid of pids) send(pid, 'SIGKILL')
    await sleep(100)
  }
}

/** Returns the ids of a run's processes. */
export async function processesOf(run: string): Promise<number[]> {
  // BSD and GNU ps have different options for printing the environment.
  const options = process.platform === 'darwin' ? ['-axwwE', '-o', 'pid=,command='] : ['axeww', '-o', 'pid=,args=']
  const { stdout } = await execa('ps', options, { reject: false })
  const lines = stdout.split('\n').filter(line => line.includes(` ${runVariable}=${run}`))
  return lines.map(line => Number.parseInt(line, 10))
}

/** Sends a signal, or with 0 none. @returns whether the process exists. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch {
    return false
  }
}
