/** One row of what `lab doctor` shows. */
export interface DoctorCheck {
  /** Never changes, for scripts. */
  id: string
  title: string
  /** `fail` stops `lab up`; `warn` does not. */
  level: 'ok' | 'warn' | 'fail'
  found: string
  expected: string
  /** A command, or a sentence; empty when there is nothing to do. */
  next: string
}

type Says = Pick<DoctorCheck, 'found' | 'expected' | 'next'>

export const ok = (id: string, title: string, found: string): DoctorCheck => ({
  id,
  title,
  level: 'ok',
  found,
  expected: '',
  next: '',
})
export const warn = (id: string, title: string, says: Says): DoctorCheck => ({ id, title, level: 'warn', ...says })
export const fail = (id: string, title: string, says: Says): DoctorCheck => ({ id, title, level: 'fail', ...says })

/** Bytes as 5.6 GiB. */
export const gibibytes = (bytes: number): string => `${(bytes / 1024 ** 3).toFixed(1)} GiB`
/** Bytes as 12 GB, and what is less than ten as 4.5 GB. */
export const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 9.95e9 ? 1 : 0)} GB`
