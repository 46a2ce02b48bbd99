import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { stripVTControlCharacters } from 'node:util'

/** What came of a block of commands. */
export interface BlockResult {
  exitCode: number
  /** Standard output and error, as a terminal would show them, without colours. */
  output: string
}

/**
 * A shell in which the blocks of a text are run one after the other, as a student types them into one terminal: what a block sets, the next one has.
 */
export class BlockShell {
  readonly #folder = mkdtempSync(join(tmpdir(), 'lab-blocks-'))
  readonly #options: { cwd: string; env: NodeJS.ProcessEnv; detached: true }
  #bash: ChildProcess | undefined
  #count = 0

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    // Its own group, so that what it started ends with it.
    this.#options = { cwd, env, detached: true }
  }

  /**
   * Runs a block. The first command that fails ends it.
   * @param options.timeout milliseconds.
   * @param options.lenient go on after a command that fails; the last one's code counts.
   */
  async run(code: string, { timeout = 120_000, lenient = false } = {}): Promise<BlockResult> {
    const { file, output } = this.#files(code)
    const bash = this.#start()
    const mark = `block-${this.#count}-ended`
    const lines = createInterface({ input: bash.stdout! })
    const { promise: ended, resolve } = Promise.withResolvers<number>()
    lines.on('line', line => {
      if (line.startsWith(mark)) resolve(Number(line.slice(mark.length + 1)))
    })
    const over = (code: number | null): void => resolve(code ?? 1)
    bash.once('exit', over)
    const strict = lenient ? 'set +e' : 'set -e'
    bash.stdin!.write(
      `{ ${strict}; source '${file}'; } </dev/null >'${output}' 2>&1; last=$?; set +e; echo "${mark} $last"\n`,
    )
    const waiting = new AbortController()
    const exitCode = await Promise.race([ended, sleep(timeout, 124, { signal: waiting.signal })])
    waiting.abort()
    lines.close()
    // One shell for many blocks: what listens is taken off again.
    bash.off('exit', over)
    if (exitCode === 124 || bash.exitCode !== null) this.#end()
    return { exitCode, output: text(output) }
  }

  /** Runs commands that do not end by themselves, and interrupts them as Ctrl-C would. A code of 0 says that they had to be. */
  async runFor(code: string, seconds: number): Promise<BlockResult> {
    const { file, output } = this.#files(code)
    const child = spawn('bash', ['-c', `source '${file}' </dev/null >'${output}' 2>&1`], {
      ...this.#options,
      stdio: 'ignore',
    })
    const ended = new Promise<number>(resolve => child.once('exit', code => resolve(code ?? 1)))
    const waiting = new AbortController()
    const early = await Promise.race([ended, sleep(seconds * 1000, 'running' as const, { signal: waiting.signal })])
    waiting.abort()
    if (early !== 'running') return { exitCode: early, output: text(output) }
    kill(child, 'SIGINT')
    await Promise.race([ended, sleep(3_000)])
    kill(child, 'SIGKILL')
    return { exitCode: 0, output: text(output) }
  }

  close(): void {
    this.#end()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #files(code: string): { file: string; output: string } {
    this.#count++
    const file = join(this.#folder, `${this.#count}.sh`)
    const output = join(this.#folder, `${this.#count}.out`)
    writeFileSync(file, `${code}\n`)
    writeFileSync(output, '')
    return { file, output }
  }

  #start(): ChildProcess {
    this.#bash ??= spawn('bash', ['--noprofile', '--norc'], { ...this.#options, stdio: ['pipe', 'pipe', 'ignore'] })
    return this.#bash
  }

  #end(): void {
    if (this.#bash) kill(this.#bash, 'SIGKILL')
    this.#bash = undefined
  }
}

const text = (file: string): string => stripVTControlCharacters(readFileSync(file, 'utf8'))

/** Signals a process and all that it started. */
function kill(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal)
  } catch {
    // It has ended.
  }
}
