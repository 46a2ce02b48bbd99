import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import lockfile from 'proper-lockfile'
import { LabError } from '../../stacks/error.ts'
import { labDir, labPath } from '../../stacks/paths.ts'

// Trust on first use: what the lock file does not pin is pinned here, by the address it came from, when it is fetched first.

const file = (): string => join(labDir(), 'remembered.json')

function read(): Record<string, string> {
  let text: string
  try {
    text = readFileSync(file(), 'utf8')
  } catch {
    return {}
  }
  try {
    return JSON.parse(text) as Record<string, string>
  } catch (cause) {
    throw new LabError({
      found: `${file()} is not JSON`,
      expected: 'the digests of what was fetched, by address',
      next: `rm ${file()} (what it held is then taken on trust once more)`,
      cause,
    })
  }
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
    const part = `${path}.part`
    writeFileSync(part, `${JSON.stringify({ ...read(), ...digests }, null, 2)}\n`, { mode: 0o600 })
    renameSync(part, path)
  } finally {
    await release()
  }
}
