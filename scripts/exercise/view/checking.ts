import { colors } from '../../terminal/colors.ts'

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']

/** Runs a check, and shows on a terminal how long it takes. */
export async function showWhileChecking<T>(quiet: boolean, check: () => Promise<T>): Promise<T> {
  if (quiet || !process.stderr.isTTY) return check()
  const startedAt = Date.now()
  let frame = 0
  const timer = setInterval(() => {
    const seconds = Math.floor((Date.now() - startedAt) / 1000)
    const note = seconds > 2 ? ` for ${seconds} s; results can take a while to arrive` : ''
    process.stderr.write(`\r${colors.cyan(frames[frame++ % frames.length]!)} checking${note}`)
  }, 100)
  try {
    return await check()
  } finally {
    clearInterval(timer)
    process.stderr.write('\r\u001b[K')
  }
}
