import { type Browser, chromium } from 'playwright-core'
import { programsOnPath } from '../../scripts/supplies/tools.ts'
import { LabError } from '../../shared/lab-error.ts'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/**
 * Starts a headless Chromium: the program in the variable CHROMIUM, or the first one on PATH.
 * @throws LabError when there is none.
 */
export async function startBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM || names.flatMap(programsOnPath)[0]
  if (!executablePath)
    throw new LabError({
      found: 'Chromium is not on PATH',
      expected: `${names.join(', ')}, or the path of one in CHROMIUM`,
      next: 'sudo apt-get install chromium',
    })
  return chromium.launch({
    executablePath,
    // Scroll bars take space, as they do for a person.
    ignoreDefaultArgs: ['--hide-scrollbars'],
    args: ['--disable-dev-shm-usage'],
  })
}
