import { existsSync } from 'node:fs'
import { join } from 'node:path'
import lockfile from 'proper-lockfile'
import { z } from 'zod'
import { LabError } from '../../shared/lab-error.ts'
import { labDir, labPath } from '../../shared/paths.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'

// Trust on first use: a digest that the lock file does not pin is stored at the first download, under the URL, and
// required from then on.

const file = (): string => join(labDir(), 'remembered.json')

/** Reads the file. A damaged one is an error: replacing it would let whoever damaged it substitute other files. */
function readDigests(): Record<string, string> {
  if (!existsSync(file())) return {}
  const digests = readStateFile(file(), z.record(z.string(), z.string()))
  if (digests) return digests
  throw new LabError({
    found: `The file ${file()} is damaged`,
    expected: 'the digests of earlier downloads, as JSON',
    next: `rm ${file()} (the next downloads are then trusted without a digest)`,
  })
}

/** Returns the digest that was first seen under a URL or an image's name, or undefined. */
export const rememberedDigest = (key: string): string | undefined => readDigests()[key]

/** Stores digests for later runs in `.lab/remembered.json` (mode 0600). Safe with several processes at once. */
export function rememberDigests(digests: Record<string, string>): Promise<void> {
  // Calls in this process queue up, which is faster than competing for the lock
  queue = queue.catch(() => {}).then(() => addDigests(digests))
  return queue
}
let queue = Promise.resolve()

async function addDigests(digests: Record<string, string>): Promise<void> {
  const path = labPath('remembered.json')
  const release = await lockfile.lock(path, {
    realpath: false,
    retries: { retries: 20, minTimeout: 20, maxTimeout: 200 },
  })
  try {
    writeStateFile(path, { ...readDigests(), ...digests })
  } finally {
    await release()
  }
}
