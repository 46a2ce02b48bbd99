import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { labPath } from './paths.ts'
import type { Settings } from './settings.ts'

/**
 * A random secret that is made once and kept in `.lab` with mode 0600, so that plain `pulumi up` and `lab up` agree on it.
 * @returns 24 characters of base64url: 144 bits.
 */
export function rememberedSecret(name: string): string {
  const file = labPath(name)
  if (!existsSync(file)) {
    try {
      writeFileSync(file, `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
    } catch (error) {
      // Somebody else was first: theirs counts.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  return readFileSync(file, 'utf8').trim()
}

/** The password that signs in to Grafana: the one set, or the lab's own. */
export const grafanaPassword = (settings: Settings): string =>
  settings.grafana.password || rememberedSecret('grafana-password')
