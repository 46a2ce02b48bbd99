import { LabError } from './lab-error.ts'

/**
 * Returns a time limit for this machine: `ms` times `LAB_TIME_FACTOR`, with which a slow machine gets more time. The
 * factor is 1 unless the user sets it.
 * @throws LabError when the factor is not a number from 1 to 100.
 */
export function timeLimit(ms: number): number {
  const text = process.env.LAB_TIME_FACTOR
  if (!text) return ms
  const factor = Number(text)
  if (factor >= 1 && factor <= 100) return ms * factor
  throw new LabError({
    found: `LAB_TIME_FACTOR is ${text}`,
    expected: 'a number from 1 to 100, by which time limits are multiplied',
    next: 'unset LAB_TIME_FACTOR',
    exitCode: 2,
  })
}
