import { rmSync } from 'node:fs'
import { LabError } from '../../shared/lab-error.ts'
import type { ToolName } from '../../shared/lock.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { stackPath } from '../../shared/stack.ts'
import { isOwnCluster, nodeStateAfterInterruption } from '../cluster/cluster-records.ts'
import { deleteCluster } from '../cluster/kind.ts'
import { nodeState } from '../cluster/node-container.ts'
import { type Context, loadContext } from '../context/context.ts'
import { repair, requireNoOtherUpdate } from '../pulumi/repair.ts'
import { interruptedError, runPulumi } from '../pulumi/run.ts'
import { removeState, stackExists, stateProblem, stateResources } from '../pulumi/state.ts'
import { report } from '../terminal/output.ts'
import type { PolicyKey } from '../tetragon/agent-policies.ts'
import { ownPolicies, removeLeftovers } from './existing-cluster.ts'
import { recordPulumi, withLabLock } from './run-lock.ts'

/** Describes what `lab down` did. */
export interface DownResult {
  /** Whether there was anything to remove. */
  removed: boolean
  seconds: number
  /** Describes what stays in a cluster of the user's own, one line each. */
  left: string[]
}

interface DownOptions {
  settings?: Settings
  /** Downloads the programs that are needed. Called only when there is something to remove. */
  load?: (programs?: readonly ToolName[]) => Promise<Context>
}

/** Returns what exists of the lab, in words; empty when nothing does. */
export async function describeLab(settings: Settings): Promise<string[]> {
  const found: string[] = []
  if (await hasCluster(settings)) found.push(`the KinD cluster ${settings.cluster.name} with everything in it`)
  if (stackExists()) found.push(`Pulumi's state (${stateProblem() ?? `${stateResources().length} resources`})`)
  return found
}

/**
 * Returns the user's own policies that `lab down` would delete from a cluster of the user's own. None where the cluster
 * does not say: an earlier `lab down` may have got as far as the definitions.
 */
export async function policiesToLose({
  settings = readSettings(),
  load = loadContext,
}: DownOptions = {}): Promise<PolicyKey[]> {
  if (settings.cluster.mode !== 'existing' || stateResources().length === 0) return []
  const context = await load(['kubectl'])
  try {
    return await ownPolicies(context)
  } catch (error) {
    if (error instanceof LabError) return []
    throw error
  }
}

/**
 * Removes the cluster, the state and all other files except images, charts and programs, which the next `up` uses. Does
 * nothing, and downloads nothing, when there is no lab.
 * @throws LabError when something cannot be removed.
 */
export async function downLab({
  settings = readSettings(),
  load = loadContext,
}: DownOptions = {}): Promise<DownResult> {
  const startedAt = performance.now()
  return withImmediateExit(() =>
    withLabLock('down', async () => {
      const removed = (await describeLab(settings)).length > 0
      await requireNoOtherUpdate()
      const left = settings.cluster.mode === 'existing' ? await destroy(load) : await deleteOwnCluster(settings, load)
      await requireNoCluster(settings)
      removeState()
      removeFiles()
      return { removed, seconds: (performance.now() - startedAt) / 1000, left }
    }),
  )
}

/** Ends the process at the first Ctrl-C: the next `down` continues where this one has stopped. */
async function withImmediateExit<T>(work: () => Promise<T>): Promise<T> {
  const onSignal = () => process.exit(report(interruptedError('down')))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  try {
    return await work()
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

type Load = Required<DownOptions>['load']

/** Removes what the lab has installed in a cluster of the user's own. @returns what stays. */
async function destroy(load: Load): Promise<string[]> {
  if (!stackExists() || (stateProblem() === undefined && stateResources().length === 0)) return []
  const context = await load()
  await repair(context)
  await runPulumi('destroy', { env: context.env, onStart: recordPulumi })
  return removeLeftovers(context)
}

/**
 * Deletes the lab's own cluster. Everything that the state describes is in the node, and the state is deleted too, so
 * `pulumi destroy` has no work.
 */
async function deleteOwnCluster({ cluster: { name } }: Settings, load: Load): Promise<string[]> {
  const env = (await nodeStateAfterInterruption(name)) ? (await load(['kind'])).env : {}
  await deleteCluster(name, env, () => {})
  return []
}

async function requireNoCluster(settings: Settings): Promise<void> {
  const { name } = settings.cluster
  if (await hasCluster(settings))
    throw new LabError({ found: `The cluster ${name} still exists`, next: `kind delete cluster --name ${name}` })
}

const hasCluster = async ({ cluster: { name } }: Settings): Promise<boolean> =>
  (await nodeState(name)) !== undefined && isOwnCluster(name)

function removeFiles(): void {
  for (const file of ['grafana-password', 'kubeconfig', 'cluster.json', 'kernel.json', 'stood-up.json'])
    rmSync(stackPath(file), { force: true })
}
