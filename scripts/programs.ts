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
 * Ends a process and all that it has started: asks it first, and does not ask any more after a while. What it leaves behind in its haste,
 * such as a kind that would go on making a node, is ended too.
 * @param seconds how long it may take to end in order
 */
export async function endTree(pid: number, seconds = 20): Promise<void> {
  const started = await descendants(pid)
  signal(pid, 'SIGINT')
  for (const end = Date.now() + seconds * 1000; Date.now() < end && signal(pid, 0); await sleep(200))
    for (const [child, args] of await descendants(pid)) started.set(child, args)
  signal(pid, 'SIGKILL')
  for (const [child, args] of started) if ((await argumentsOf(child)) === args) signal(child, 'SIGKILL')
}

/** What a process has started, and what that has started in turn, each with its arguments. */
async function descendants(pid: number): Promise<Map<number, string>> {
  const { stdout } = await execa('ps', ['-eo', 'pid=,ppid=,args='], { reject: false })
  const found = new Map<number, string>()
  const all = [...stdout.matchAll(/^ *(\d+) +(\d+) (.*)$/gm)].map(([, own, parent, args]) => ({
    own: Number(own),
    parent: Number(parent),
    args: args!.trim(),
  }))
  for (let generation = new Set([pid]); generation.size > 0; ) {
    const children = all.filter(({ parent }) => generation.has(parent))
    for (const { own, args } of children) found.set(own, args)
    generation = new Set(children.map(({ own }) => own))
  }
  return found
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
