import { execa } from 'execa'
import { timeLimit } from './time-limit.ts'

/** How to run a program with a time limit. */
export interface LimitedOptions {
  /** Multiplied on a slow machine, see `timeLimit`. */
  timeoutMs: number
  env?: Readonly<Record<string, string>>
  cwd?: string
  /** Text for its standard input. Without it, standard input is empty, or with `pipe` stays open. */
  input?: string | Uint8Array
  stdin?: 'pipe' | 'ignore'
}

/** The result of a program with a time limit. */
export interface LimitedResult {
  failed: boolean
  /** Whether the time limit ended it. */
  timedOut: boolean
  /** Undefined when the program did not start, or a signal ended it. */
  exitCode?: number
  /** The error code, such as `ENOENT`, when the program did not start. */
  code?: string
  stdout: string
  stderr: string
  /** Both together, in the order in which they were printed. */
  all: string
  /** How long it ran, rounded. */
  seconds: number
}

/**
 * Runs a program and ends it when its time is up. The limit also holds when a program that it started, such as a
 * credential plugin of kubectl, keeps its output open: execa's own `timeout` waits for that one too.
 */
export async function runLimited(
  program: string,
  args: readonly string[],
  { timeoutMs, input, stdin = input === undefined ? 'ignore' : 'pipe', ...options }: LimitedOptions,
): Promise<LimitedResult> {
  const limitMs = timeLimit(timeoutMs)
  const startedAt = performance.now()
  const subprocess = execa(program, args, {
    ...options,
    ...(input === undefined ? { stdin } : { input }),
    all: true,
    reject: false,
  })
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    subprocess.kill()
    subprocess.stdout?.destroy()
    subprocess.stderr?.destroy()
    subprocess.all?.destroy()
  }, limitMs)
  const result = await subprocess
  clearTimeout(timer)
  return {
    failed: result.failed,
    timedOut,
    exitCode: result.exitCode,
    code: result.code,
    stdout: String(result.stdout ?? ''),
    stderr: String(result.stderr ?? ''),
    all: String(result.all ?? ''),
    seconds: Math.round((performance.now() - startedAt) / 1000),
  }
}
