import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout that this program runs from. */
export const projectDir = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/**
 * Where everything that a run leaves on the machine is kept: `.lab` in the checkout, or `LAB_DIR`.
 * Read at each call, so that a test can point it elsewhere.
 */
export const labDir = (): string => resolve(process.env.LAB_DIR ?? join(projectDir, '.lab'))

/** Tells this lab from others on the machine, also where its folder is lost: it stands in the node that the lab has made. */
export const labId = (): string => createHash('sha256').update(labDir()).digest('hex').slice(0, 16)

/** A path inside the lab's folder, whose parent folder exists (mode 0700) when this returns. */
export function labPath(...parts: string[]): string {
  const path = join(labDir(), ...parts)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  return path
}
