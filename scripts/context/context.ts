import { existsSync } from 'node:fs'
import { kubeconfigFile } from '../../shared/kubeconfig.ts'
import { LabError } from '../../shared/lab-error.ts'
import { type Lock, readLock, type ToolName } from '../../shared/lock.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { findTool } from '../supplies/tools.ts'
import { allPrograms, labEnvironment } from './environment.ts'
import { type ClusterTarget, contextOf, currentContext, prepareKubeconfig } from './kubeconfig.ts'

/** What most commands need. */
export interface Context {
  settings: Settings
  lock: Lock
  /** Environment of the programs that the lab starts, with the pinned `pulumi`, `kubectl` and `kind` first on PATH. */
  env: Readonly<Record<string, string>>
}

/**
 * Reads the settings and the lock file, downloads the pinned programs that are missing, and prepares the kubeconfig.
 * @param programs those that the caller uses
 * @throws LabError when a setting or the lock file is invalid, a program cannot be downloaded, or the user's kubeconfig
 * does not have the context of the settings.
 */
export async function loadContext(programs: readonly ToolName[] = allPrograms): Promise<Context> {
  const settings = readSettings()
  const lock = readLock()
  const env = await labEnvironment(lock, programs)
  if (programs.includes('kubectl')) await prepareKubeconfig(settings.cluster, env)
  return { settings, lock, env }
}

/**
 * Returns the context of a lab that is running, for a command that needs no program but kubectl.
 * @throws LabError when no lab is running, before anything is downloaded.
 */
export async function loadRunningLab(): Promise<Context> {
  await requireLab(readSettings())
  return loadContext(['kubectl'])
}

/** @throws LabError when no lab is running, as far as this machine shows without a network. */
export async function requireLab({ cluster }: { cluster: ClusterTarget }): Promise<void> {
  if (!(await mayBeRunning(cluster))) throw new LabError({ found: 'No lab is running', next: './lab up' })
}

/** Returns whether a lab may be running, as far as this machine shows without a network. */
export async function mayBeRunning(cluster: ClusterTarget): Promise<boolean> {
  if (cluster.mode === 'create') return currentContext(kubeconfigFile()) === contextOf(cluster)
  // Another checkout may have installed the lab in a cluster of the user's own. Without kubectl, this one has not.
  return existsSync(kubeconfigFile()) || (await findTool(readLock(), 'kubectl')) !== undefined
}
