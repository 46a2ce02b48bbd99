import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { endsWithConnection } from '../../../scripts/cluster/remote-command.ts'

/** Starts a command as a container runtime does: it does not end with its client. */
function start(...command: string[]) {
  const [shell, ...args] = endsWithConnection(command)
  const child = spawn(shell!, args, { stdio: 'pipe', detached: true })
  return { child, exit: once(child, 'exit').then(([code]) => code as number), output: text(child.stdout) }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

it('ends a command that would run without end when its standard input ends', async () => {
  const { child, exit } = start('sh', '-c', 'echo $$; exec sleep 300')
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  expect(isRunning(pid)).toBe(true)
  child.stdin.end()
  expect(await exit).toBe(137)
  await expect.poll(() => isRunning(pid), { timeout: 10_000 }).toBe(false)
})

it('returns what a command prints, and its exit code, while standard input stays open', async () => {
  const { child, exit, output } = start('sh', '-c', 'echo "$1"; exit 3', 'sh', "it's $HOME")
  expect(await exit).toBe(3)
  expect(await output).toBe("it's $HOME\n")
  child.stdin.destroy()
})

it('leaves nothing of itself behind', async () => {
  const { child, exit } = start('true')
  await exit
  // The processes of its group are gone too.
  await expect.poll(() => isRunning(-child.pid!), { timeout: 10_000 }).toBe(false)
  child.stdin.destroy()
})

it('gives the command an empty standard input: tetra would read events from a pipe', async () => {
  const { child, output } = start('sh', '-c', '[ -p /dev/stdin ] && echo pipe || echo none')
  expect(await output).toBe('none\n')
  child.stdin.destroy()
})
