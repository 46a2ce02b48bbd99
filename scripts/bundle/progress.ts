import { sizeText } from '../terminal/size-text.ts'

/** Runs a part of the work under a title; what it says while it runs is for whoever looks on. */
export type Show = <T>(title: string, work: (say: (line: string) => void) => Promise<T>) => Promise<T>

/** For when nobody looks on. */
export const unseen: Show = (_, work) => work(() => {})

/**
 * Counts bytes and says how many of them have passed: `1.2 GB of 3.4 GB`. On a terminal at every hundredth, elsewhere, where each is a line of
 * its own, at every fifth.
 */
export function counter(total: number, say: (line: string) => void): (bytes: number) => void {
  const steps = process.stdout.isTTY ? 100 : 5
  let done = 0
  let last = 0
  return bytes => {
    done += bytes
    const step = Math.floor((Math.min(done, total) / total) * steps)
    if (step === last) return
    last = step
    say(`${sizeText(Math.min(done, total))} of ${sizeText(total)}`)
  }
}
