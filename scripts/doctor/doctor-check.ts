/** One row of `lab doctor`. */
export interface DoctorCheck {
  /** Never changes, for scripts. */
  id: string
  title: string
  /** `fail` stops `lab up`; `warn` does not. */
  level: 'ok' | 'warn' | 'fail'
  found: string
  /** Empty where it adds nothing to `found`. */
  expected: string
  /** A command, or an imperative; empty when there is nothing to do. */
  next: string
}

interface Problem {
  /** A full clause: `lab up` prints it without the title. */
  found: string
  expected?: string
  next: string
}

const problem =
  (level: 'warn' | 'fail') =>
  (id: string, title: string, { found, expected = '', next }: Problem): DoctorCheck => ({
    id,
    title,
    level,
    found,
    expected,
    next,
  })
export const warn = problem('warn')
export const fail = problem('fail')
export const ok = (id: string, title: string, found: string): DoctorCheck => ({
  id,
  title,
  level: 'ok',
  found,
  expected: '',
  next: '',
})

/** Formats bytes as 5.6 GiB. */
export const gibibytes = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`
