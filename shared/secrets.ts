import { randomBytes } from 'node:crypto'
import { existsSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { labPath } from './paths.ts'
import type { Settings } from './settings/schema.ts'

/**
 * A random secret that is made once and kept in `.lab` with mode 0600, so that plain `pulumi up` and `lab up` agree on it.
 * @returns 24 characters of base64url: 144 bits.
 */
export function rememberedSecret(name: string): string {
  const file = labPath(name)
  const kept = read(file)
  if (kept) return kept
  // Whole or not at all, and of two at once the first counts.
  const part = `${file}.${process.pid}.part`
  writeFileSync(part, `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600 })
  rmSync(file, { force: true })
  try {
    linkSync(part, file)
  } catch (error) {
    // Some file systems know no links.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') renameSync(part, file)
  } finally {
    rmSync(part, { force: true })
  }
  return read(file)
}

/** What a file holds, without its end; empty where there is none, or a full disk left nothing in it. */
function read(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : ''
}

/** The password that signs in to Grafana: the one set, or the lab's own. */
export const grafanaPassword = (settings: Settings): string =>
  settings.grafana.password || rememberedSecret('grafana-password')
