import { mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of the checkout. */
export const projectDir = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/**
 * Returns the folder for everything that a run leaves on the machine: `LAB_DIR`, or `.lab` in the checkout.
 * It reads the variable at each call, so that tests can change it.
 */
export const labDir = (): string => resolve(process.env.LAB_DIR ?? join(projectDir, '.lab'))

/** Returns a path in the lab's folder and creates its parent folder (mode 0700). */
export function labPath(...parts: string[]): string {
  const path = join(labDir(), ...parts)
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  return path
}
