import { setTimeout as sleep } from 'node:timers/promises'

/** A promise of the lab, looked at. */
export interface VerifyCheck {
  /** What the promise is about: `panels`, `pods`, … */
  area: string
  title: string
  /** `skip` says in `found` why the promise does not apply here. */
  result: 'ok' | 'fail' | 'skip'
  found: string
  /** What else it should have been, and the command that shows more; for failures. */
  expected?: string
  next?: string
  /** A command that shows the same by hand, where it teaches something. */
  proof?: string
}

export const ok = (area: string, title: string, found: string): VerifyCheck => ({ area, title, result: 'ok', found })
export const skip = (area: string, title: string, why: string): VerifyCheck => ({
  area,
  title,
  result: 'skip',
  found: why,
})
export const fail = (area: string, title: string, found: string, expected: string, next: string): VerifyCheck => ({
  area,
  title,
  result: 'fail',
  found,
  expected,
  next,
})

/** The same with the command that shows it by hand. */
export const proven = (proof: string, check: VerifyCheck): VerifyCheck => ({ ...check, proof })

/** How long a promise is given to come true, in milliseconds: a rate takes two readings, and the lab may have come up this moment. */
const patience = 40_000

/** Looks again until nothing fails, or patience is at its end. */
export async function retryUntil(look: () => VerifyCheck[] | Promise<VerifyCheck[]>): Promise<VerifyCheck[]> {
  const end = Date.now() + patience
  while (true) {
    const checks = await look()
    if (checks.every(check => check.result !== 'fail') || Date.now() > end) return checks
    await sleep(2000)
  }
}
