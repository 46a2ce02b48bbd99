import { LabError } from '../../shared/lab-error.ts'
import { labDir } from '../../shared/paths.ts'
import { colors } from './colors.ts'

/** Prints a value as JSON, for scripts. It must be the only text on standard output. */
export const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)

/** Prints a line of the result on standard output. */
export const print = (line = ''): void => void process.stdout.write(`${line}\n`)

/** Prints progress or a note on standard error. */
export const note = (line: string): void => void process.stderr.write(`${line}\n`)

/** Prints an error and returns the exit code: a LabError in its lines, anything else as a bug with its stack. */
export function report(error: unknown): 1 | 2 {
  const labError = error instanceof LabError ? error : fileError(error)
  if (labError) {
    const [first, ...others] = labError.lines()
    for (const line of [colors.red(first!), ...others]) note(line)
    return labError.exitCode
  }
  note(colors.red('This is a bug in the lab:'))
  note(error instanceof Error ? (error.stack ?? error.message) : String(error))
  return 1
}

/** Plain-English versions of file system errors, with the command that shows more. */
const fileProblems: Record<string, { problem: string; expected?: string; next: (path: string) => string }> = {
  ENOSPC: { problem: 'no space is left on the disk', next: path => `df -h ${path}` },
  EDQUOT: { problem: 'your disk quota is used up', next: () => 'quota -s' },
  EACCES: { problem: 'permission denied', expected: 'a file or folder that you own', next: path => `ls -ld ${path}` },
  EPERM: {
    problem: 'operation not permitted',
    expected: 'a file or folder that you own',
    next: path => `ls -ld ${path}`,
  },
  EROFS: { problem: 'the file system is read-only', next: path => `df ${path}` },
  EISDIR: { problem: 'it is a folder', expected: 'a file', next: path => `ls -ld ${path}` },
  ENOTDIR: { problem: 'a parent of it is not a folder', next: path => `ls -ld ${path}` },
}

/** Turns a file system error into a LabError: the user can fix it, whatever the lab was doing. */
function fileError(error: unknown): LabError | undefined {
  const { code = '', path } = (error ?? {}) as NodeJS.ErrnoException
  const known = fileProblems[code]
  // A write to a full disk does not name a path: the lab writes to its own folder.
  const where = path ?? (/^(ENOSPC|EDQUOT)$/.test(code) ? labDir() : undefined)
  if (!known || where === undefined) return undefined
  const { problem, expected, next } = known
  return new LabError({ found: `${where} cannot be used: ${problem}`, expected, next: next(where), cause: error })
}
