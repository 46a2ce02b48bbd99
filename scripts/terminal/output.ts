import colors from 'picocolors'
import { LabError } from '../../shared/lab-error.ts'
import { labDir } from '../../shared/paths.ts'

/** Prints a value for a script: JSON on standard output and nothing else there. */
export const printJson = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)

/** Prints a line for a person. */
export const print = (line = ''): void => void process.stdout.write(`${line}\n`)

/** Prints a line beside the result: progress, notes. */
export const note = (line: string): void => void process.stderr.write(`${line}\n`)

/** Prints an error the way its kind deserves, and says with what code to leave. */
export function report(error: unknown): 1 | 2 {
  const users = error instanceof LabError ? error : fileProblem(error)
  if (users) {
    for (const [index, line] of users.lines().entries()) note(index === 0 ? colors.red(line) : line)
    return users.exitCode
  }
  note(colors.red('This is a bug in the lab:'))
  note(error instanceof Error ? (error.stack ?? error.message) : String(error))
  return 1
}

/** What the system says of a file or a disk, and what helps. */
const fileProblems: Record<string, { says: string; expected: string; next: (path: string) => string }> = {
  ENOSPC: { says: 'no space is left', expected: 'room on the disk', next: path => `df -h ${path}` },
  EDQUOT: { says: 'your quota is used up', expected: 'room for your account', next: () => 'quota -s' },
  EACCES: { says: 'permission denied', expected: 'a file or folder of your own', next: path => `ls -ld ${path}` },
  EPERM: { says: 'operation not permitted', expected: 'a file or folder of your own', next: path => `ls -ld ${path}` },
  EROFS: { says: 'its disk is read-only', expected: 'a disk that can be written to', next: path => `df ${path}` },
  EISDIR: { says: 'it is a folder', expected: 'a file', next: path => `ls -ld ${path}` },
  ENOTDIR: { says: 'a part of it is no folder', expected: 'folders all the way', next: path => `ls -ld ${path}` },
}

/** An error of the file system as the user's business, which it is, whatever the lab was doing. */
function fileProblem(error: unknown): LabError | undefined {
  const { code = '', path } = (error ?? {}) as NodeJS.ErrnoException
  const problem = fileProblems[code]
  // A write to a full disk names no path; then it is where the lab writes. All else without one is no matter of files.
  const where = path ?? (/^(ENOSPC|EDQUOT)$/.test(code) ? labDir() : undefined)
  if (!problem || where === undefined) return undefined
  const { says, expected, next } = problem
  return new LabError({ found: `${where} cannot be used: ${says}`, expected, next: next(where), cause: error })
}
