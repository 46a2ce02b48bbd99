import { sizeText } from '../terminal/size-text.ts'

/** Runs a part of the work under a title, and shows the lines that it reports. */
export type ShowProgress = <T>(title: string, work: (report: (line: string) => void) => Promise<T>) => Promise<T>

export const withoutProgress: ShowProgress = (_, work) => work(() => {})

/**
 * Returns a function that counts bytes and reports the total, for example `1.2 GB of 3.4 GB`: every 1% on a terminal,
 * every 20% elsewhere, where each report is a line of its own.
 */
export function byteCounter(total: number, report: (line: string) => void): (bytes: number) => void {
  const steps = process.stdout.isTTY ? 100 : 5
  let done = 0
  let lastStep = 0
  return bytes => {
    done += bytes
    const step = Math.floor((Math.min(done, total) / total) * steps)
    if (step === lastStep) return
    lastStep = step
    report(`${sizeText(Math.min(done, total))} of ${sizeText(total)}`)
  }
}
