import { type Lock, readLock } from '../../shared/lock.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { labEnvironment } from './environment.ts'

/** What most commands need. */
export interface Context {
  settings: Settings
  lock: Lock
  /** Environment of the programs that the lab starts, with the pinned `pulumi`, `kubectl` and `kind` first on PATH. */
  env: Readonly<Record<string, string>>
}

/**
 * Reads the settings and the lock file, and downloads the pinned programs that are missing.
 * @throws LabError when a setting or the lock file is invalid, or a program cannot be downloaded.
 */
export async function loadContext(): Promise<Context> {
  const settings = readSettings()
  const lock = readLock()
  return { settings, lock, env: await labEnvironment(lock, settings.cluster.mode) }
}
