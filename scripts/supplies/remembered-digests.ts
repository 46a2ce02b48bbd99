import { existsSync } from 'node:fs'
import { join } from 'node:path'
import lockfile from 'proper-lockfile'
import { z } from 'zod'
import { LabError } from '../../shared/lab-error.ts'
import { labDir, labPath } from '../../shared/paths.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'

// Trust on first use: what the lock file does not pin is pinned here, by the address it came from, when it is fetched first.

const file = (): string => join(labDir(), 'remembered.json')

/** Not made anew where it is damaged: whoever damages it could then pass off something else. */
function read(): Record<string, string> {
  if (!existsSync(file())) return {}
  const digests = readStateFile(file(), z.record(z.string(), z.string()))
  if (digests) return digests
  throw new LabError({
    found: `${file()} is damaged`,
    expected: 'the digests of what was fetched, by address',
    next: `rm ${file()} (what it held is then taken on trust once more)`,
  })
}

/** The digest that was seen first at an address or under an image's name, if any. */
export const remembered = (address: string): string | undefined => read()[address]

/** Keeps digests for later runs (`.lab/remembered.json`, mode 0600). Safe with several processes at once. */
export function remember(digests: Record<string, string>): Promise<void> {
  // In turn within this process, where waiting for the lock would only take time
  turn = turn.catch(() => {}).then(() => write(digests))
  return turn
}
let turn = Promise.resolve()

async function write(digests: Record<string, string>): Promise<void> {
  const path = labPath('remembered.json')
  const release = await lockfile.lock(path, {
    realpath: false,
    retries: { retries: 20, minTimeout: 20, maxTimeout: 200 },
  })
  try {
    writeStateFile(path, { ...read(), ...digests })
  } finally {
    await release()
  }
}
