import { setTimeout as sleep } from 'node:timers/promises'
import { LabError, type LabErrorLines } from '../../shared/lab-error.ts'
import { timeLimit } from '../../shared/time-limit.ts'

/** The result of one check. */
export interface VerifyCheck {
  /** The topic, as in `panels` or `pods`. */
  area: string
  title: string
  result: 'ok' | 'fail' | 'skip'
  /** What the check found. For `skip`, why it does not apply. */
  found: string
  /** For `fail`, as in an error of the lab. */
  expected?: string
  next?: string
  /** A command that shows the same thing, where it teaches something. */
  proof?: string
}

/** Returns functions that make the results of one area. */
export const checksOf = (area: string) => ({
  ok: (title: string, found: string): VerifyCheck => ({ area, title, result: 'ok', found }),
  skip: (title: string, found: string): VerifyCheck => ({ area, title, result: 'skip', found }),
  fail: (title: string, { found, expected, next }: LabErrorLines): VerifyCheck => ({
    area,
    title,
    result: 'fail',
    found,
    ...(expected && { expected }),
    next,
  }),
})

/** Adds a command that shows the same thing. */
export const withProof = (proof: string, check: VerifyCheck): VerifyCheck => ({ ...check, proof })

/** Makes one or more checks. */
export type MakeChecks = () => VerifyCheck | VerifyCheck[] | Promise<VerifyCheck | VerifyCheck[]>

/** Makes checks. The title names the failure that is reported when they cannot be made. */
export type NamedCheck = readonly [title: string, make: MakeChecks]

/**
 * Makes the checks of an area one after the other. One that cannot be made, because something does not respond, fails
 * under its title and leaves the others as they are.
 */
export async function eachCheck(area: string, parts: readonly NamedCheck[]): Promise<VerifyCheck[]> {
  const checks: VerifyCheck[] = []
  for (const [title, make] of parts) {
    try {
      checks.push(...[await make()].flat())
    } catch (error) {
      if (!(error instanceof LabError)) throw error
      checks.push(checksOf(area).fail(title, error))
    }
  }
  return checks
}

/** Returns a function that reads a value when the first check needs it, and gives every check that value or the error. */
export function readOnce<T>(read: () => Promise<T>): () => Promise<T> {
  let value: Promise<T> | undefined
  return () => (value ??= read())
}

/** How long a check may fail right after `lab up`: a rate, for example, needs two samples. */
const retryMs = 40_000

/** Repeats checks until none of them fails, or the time has run out. */
export async function retryUntilPassed(
  run: () => VerifyCheck[] | Promise<VerifyCheck[]>,
  { timeoutMs = retryMs, intervalMs = 2000 } = {},
): Promise<VerifyCheck[]> {
  const end = Date.now() + timeLimit(timeoutMs)
  for (;;) {
    const checks = await run()
    if (checks.every(check => check.result !== 'fail') || Date.now() > end) return checks
    await sleep(intervalMs)
  }
}
