import { type Lock, readLock } from '../../shared/lock.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { labEnvironment } from './environment.ts'

/** What most commands start from. */
export interface Context {
  settings: Settings
  lock: Lock
  /** What the lab's own programs are run with. */
  env: Record<string, string>
}

/**
 * Reads settings and pins, and puts the pinned programs first on this process's own PATH, so that every module simply runs `kubectl`, and
 * `kind` as the lab wants it.
 * @throws LabError for a wrong setting or lock, or a program that cannot be fetched.
 */
export async function loadContext(): Promise<Context> {
  const settings = readSettings()
  const lock = readLock()
  const env = await labEnvironment(lock, settings.cluster.mode)
  process.env.PATH = env.PATH
  process.env.KUBECACHEDIR = env.KUBECACHEDIR
  process.env.KIND_EXPERIMENTAL_PROVIDER = env.KIND_EXPERIMENTAL_PROVIDER
  return { settings, lock, env }
}
