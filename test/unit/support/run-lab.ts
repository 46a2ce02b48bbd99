import { run } from '../../../scripts/lab.ts'

/** What a command printed, and its exit code. */
export interface Output {
  stdout: string
  stderr: string
  exitCode: number
}

/** Collects what this process prints while some work runs. */
export async function captureOutput(work: () => unknown): Promise<Pick<Output, 'stdout' | 'stderr'>> {
  const output = { stdout: '', stderr: '' }
  const writers = { stdout: process.stdout.write, stderr: process.stderr.write }
  for (const name of ['stdout', 'stderr'] as const)
    process[name].write = ((text: string | Uint8Array) => {
      output[name] += String(text)
      return true
    }) as typeof process.stdout.write
  try {
    await work()
  } finally {
    process.stdout.write = writers.stdout
    process.stderr.write = writers.stderr
  }
  return output
}

/** Runs `./lab` with these words in this process. */
export async function runLab(...words: string[]): Promise<Output> {
  const { LAB_LOCK, LAB_STACK } = process.env
  const { exitCode: before } = process
  let exitCode: number | undefined
  try {
    const output = await captureOutput(async () => {
      exitCode = await run(words)
    })
    return { ...output, exitCode: exitCode ?? Number(process.exitCode ?? 0) }
  } finally {
    // `--lock` and a command's result set these for the process.
    process.exitCode = before
    if (LAB_LOCK === undefined) delete process.env.LAB_LOCK
    else process.env.LAB_LOCK = LAB_LOCK
    if (LAB_STACK === undefined) delete process.env.LAB_STACK
    else process.env.LAB_STACK = LAB_STACK
  }
}
