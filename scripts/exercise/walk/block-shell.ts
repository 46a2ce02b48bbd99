import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'
import { timeLimit } from '../../../shared/time-limit.ts'

/** The result of a block of commands. */
export interface BlockResult {
  exitCode: number
  /** Standard output and standard error together, without colors. */
  output: string
}

/** The exit code of a block that took too long, as with timeout(1). */
const timedOut = 124

/**
 * One shell that runs the blocks of a text in order, as a student does in one terminal. A block keeps the variables of
 * those before.
 */
export class BlockShell {
  readonly #folder = mkdtempSync(join(tmpdir(), 'lab-blocks-'))
  readonly #options: { cwd: string; env: NodeJS.ProcessEnv; detached: true }
  #bash: ChildProcess | undefined
  #blocks = 0

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    // A process group of its own, so that the programs that a block started can be killed too.
    this.#options = { cwd, env, detached: true }
  }

  /**
   * Runs a block up to the first command that fails.
   * @param options.lenient continues after a command that fails; the exit code is that of the last command.
   */
  async run(code: string, { timeoutMs = 120_000, lenient = false } = {}): Promise<BlockResult> {
    const { script, output } = this.#writeFiles(code)
    const bash = this.#start()
    const endMark = `block-${this.#blocks}-ended`
    const lines = createInterface({ input: bash.stdout! })
    const { promise: ended, resolve } = Promise.withResolvers<number>()
    lines.on('line', line => {
      if (line.startsWith(endMark)) resolve(Number(line.slice(endMark.length + 1)))
    })
    const onExit = (code: number | null): void => resolve(code ?? 1)
    bash.once('exit', onExit)
    const errors = lenient ? 'set +e' : 'set -e'
    bash.stdin!.write(
      `{ ${errors}; source '${script}'; } </dev/null >'${output}' 2>&1; last=$?; set +e; echo "${endMark} $last"\n`,
    )
    const exitCode = await withTimeout(ended, timeLimit(timeoutMs), timedOut)
    lines.close()
    // The shell outlives the block, so its listeners must not pile up.
    bash.off('exit', onExit)
    if (exitCode === timedOut || bash.exitCode !== null) this.#end()
    return { exitCode, output: readOutput(output) }
  }

  /**
   * Runs commands that do not end on their own, and interrupts them as Ctrl-C does. The exit code is 0 when they were
   * still running.
   */
  async runFor(code: string, seconds: number): Promise<BlockResult> {
    const { script, output } = this.#writeFiles(code)
    const child = spawn('bash', ['-c', `source '${script}' </dev/null >'${output}' 2>&1`], {
      ...this.#options,
      stdio: 'ignore',
    })
    const ended = new Promise<number>(resolve => child.once('exit', code => resolve(code ?? 1)))
    const exitCode = await withTimeout(ended, timeLimit(seconds * 1000), undefined)
    if (exitCode !== undefined) return { exitCode, output: readOutput(output) }
    signalGroup(child, 'SIGINT')
    await withTimeout(ended, 3_000, undefined)
    signalGroup(child, 'SIGKILL')
    return { exitCode: 0, output: readOutput(output) }
  }

  close(): void {
    this.#end()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #writeFiles(code: string): { script: string; output: string } {
    this.#blocks++
    const script = join(this.#folder, `${this.#blocks}.sh`)
    const output = join(this.#folder, `${this.#blocks}.out`)
    writeFileSync(script, `${code}\n`)
    writeFileSync(output, '')
    return { script, output }
  }

  #start(): ChildProcess {
    this.#bash ??= spawn('bash', ['--noprofile', '--norc'], { ...this.#options, stdio: ['pipe', 'pipe', 'ignore'] })
    return this.#bash
  }

  #end(): void {
    if (this.#bash) signalGroup(this.#bash, 'SIGKILL')
    this.#bash = undefined
  }
}

/** Returns what the promise resolves to, or `late` after the timeout. */
async function withTimeout<T, L>(promise: Promise<T>, timeoutMs: number, late: L): Promise<T | L> {
  const timer = new AbortController()
  try {
    return await Promise.race([promise, sleep(timeoutMs, late, { signal: timer.signal })])
  } finally {
    timer.abort()
  }
}

const readOutput = (file: string): string => stripVTControlCharacters(readFileSync(file, 'utf8'))

/** Signals a process and everything that it started. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal)
  } catch {
    // It has already ended.
  }
}
