import colors from 'picocolors'
import { LabError } from '../stacks/error.ts'

/** Prints a value for a script: JSON on standard output and nothing else there. */
export const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)

/** Prints a line for a person. */
export const print = (line = ''): void => void process.stdout.write(`${line}\n`)

/** Prints a line beside the result: progress, notes. */
export const note = (line: string): void => void process.stderr.write(`${line}\n`)

/** Prints an error the way its kind deserves, and says with what code to leave. */
export function report(error: unknown): 1 | 2 {
  if (error instanceof LabError) {
    for (const [index, line] of error.lines().entries()) note(index === 0 ? colors.red(line) : line)
    return error.exitCode
  }
  note(colors.red('This is a bug in the lab:'))
  note(error instanceof Error ? (error.stack ?? error.message) : String(error))
  return 1
}
