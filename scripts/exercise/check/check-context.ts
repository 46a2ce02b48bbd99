import type { LabClient } from './lab-client.ts'

/** Everything that a check reads. */
export interface CheckContext {
  lab: LabClient
  /** Absolute path of the student's folder. */
  work: string
  /** The same folder as the exercise's text writes it. */
  workPath: string
  /** Id of the task. */
  task: string
  /** When the exercise was started. Earlier events do not count. */
  startedAt: Date
  now: Date
  answer?: { value: string; at: Date }
  /** Set when the check recognizes a dead end rather than a solution. */
  deadEnd?: boolean
  /**
   * How long the task says that a retry is worthwhile, in milliseconds: for data, and for objects that the student
   * creates.
   */
  within?: { data: number; objects?: number }
}

/** The result of a check. */
export interface CheckResult {
  passed: boolean
  found: string
  expected: string
  /** The student has not tried yet: there is no answer, nothing to judge, or an earlier task is open. */
  untried?: boolean
  /** The command that helps when the lab itself could not be read. Such a result is not a try. */
  unable?: string
  /** For a failure: how many milliseconds a retry is worthwhile. */
  waits?: number
}

export const pass = (found: string, expected: string): CheckResult => ({ passed: true, found, expected })

export const fail = (found: string, expected: string): CheckResult => ({ passed: false, found, expected })

/** Returns a pass or a failure. */
export const passIf = (passed: boolean, found: string, expected: string): CheckResult => ({ passed, found, expected })

/** Returns a failure for which the student has not done anything yet. */
export const untried = (found: string, expected: string): CheckResult => ({ ...fail(found, expected), untried: true })

/** Returns a failure that is the lab's fault. @param next the command that helps. */
export const unable = (found: string, expected: string, next: string): CheckResult => ({
  ...fail(found, expected),
  unable: next,
})

/** Returns the last line of a program's output. */
export const lastLine = (text: string): string => text.trim().split('\n').at(-1)!.trim()
