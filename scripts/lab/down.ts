import { rmSync } from 'node:fs'
import { LabError } from '../../shared/lab-error.ts'
import { labPath } from '../../shared/paths.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { isOwnCluster } from '../cluster/cluster-records.ts'
import { deleteCluster } from '../cluster/kind.ts'
import { nodeState } from '../cluster/node-container.ts'
import { type Context, loadContext } from '../context/context.ts'
import { repair, requireNoOtherUpdate } from '../pulumi/repair.ts'
import { interruptedError, runPulumi } from '../pulumi/run.ts'
import { removeState, stackExists, stateProblem, stateResources } from '../pulumi/state.ts'
import { report } from '../terminal/output.ts'
import { recordPulumi, withLabLock } from './run-lock.ts'

/** What `lab down` has done. */
export interface DownResult {
  /** Whether there was anything to remove. */
  removed: boolean
  seconds: number
}

/** Returns what exists of the lab, in words; empty when nothing does. */
export async function describeLab({ settings }: Pick<Context, 'settings'>): Promise<string[]> {
  const found: string[] = []
  if (await hasCluster(settings)) found.push(`the KinD cluster ${settings.cluster.name} with everything in it`)
  if (stackExists()) found.push(`Pulumi's state (${stateProblem() ?? `${stateResources().length} resources`})`)
  return found
}

/**
 * Removes the cluster, the state and all other files except images, charts and programs, which the next `up` uses. Does
 * nothing when there is no lab.
 * @throws LabError when something cannot be removed.
 */
export async function downLab({ load = loadContext }: { load?: () => Promise<Context> } = {}): Promise<DownResult> {
  const startedAt = performance.now()
  return withImmediateExit(() =>
    withLabLock('down', async () => {
      const context = await load()
      const removed = (await describeLab(context)).length > 0
      await requireNoOtherUpdate()
      await removeResources(context)
      await requireNoCluster(context.settings)
      removeState()
      removeFiles()
      return { removed, seconds: (performance.now() - startedAt) / 1000 }
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

async function removeResources(context: Context): Promise<void> {
  const { settings, env } = context
  if (settings.cluster.mode === 'existing') {
    await repair(context)
    if (stateResources().length > 0) await runPulumi('destroy', { env, onStart: recordPulumi })
  } else {
    // Everything that the state describes is in the node, and the state is deleted too. `pulumi destroy` has no work.
    await deleteCluster(settings.cluster.name, env, () => {})
  }
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
    rmSync(labPath(file), { force: true })
}
