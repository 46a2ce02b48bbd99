import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import type { Settings } from './settings/schema.ts'
import { stackPath } from './stack.ts'

/**
 * Returns a random secret that is created once and stored in `.lab` with mode 0600, so that `pulumi up` and `lab up`
 * use the same.
 * @returns 24 characters of base64url: 144 bits.
 */
export function storedSecret(name: string): string {
  const file = stackPath(name)
  const stored = readSecret(file)
  if (stored) return stored
  // Written atomically; if two processes write at once, both use the first.
  const part = `${file}.${process.pid}.part`
  writeFileSync(part, `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600 })
  rmSync(file, { force: true })
  try {
    linkSync(part, file)
  } catch (error) {
    // Some file systems do not support hard links.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') renameSync(part, file)
  } finally {
    rmSync(part, { force: true })
  }
  return readSecret(file)
}

/** Returns the secret in a file; empty if there is no file, or a full disk left it empty. */
function readSecret(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
}

/** Returns the password for Grafana: the one in the settings, or a stored random one. */
export const grafanaPassword = (settings: Settings): string =>
  settings.grafana.password || storedSecret('grafana-password')
