import { rmSync } from 'node:fs'
import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { labPath } from '../../shared/paths.ts'
import { deleteCluster, isOurs, nodeState } from '../cluster/kind.ts'
import { loadContext } from '../context/context.ts'
import { repair, requireNoOtherUpdate } from '../pulumi/repair.ts'
import { interruption, runPulumi } from '../pulumi/run.ts'
import { removeState, stackExists, stateProblem, stateResources } from '../pulumi/state.ts'
import { report } from '../terminal/output.ts'
import { withLabLock } from './run-lock.ts'

/** What `lab down` has done. */
export interface DownResult {
  /** Whether there was anything to remove. */
  removed: boolean
  seconds: number
}

/** What is left of a lab, in words; empty when nothing is. */
export async function whatIsThere(): Promise<string[]> {
  const { settings } = await loadContext()
  const there: string[] = []
  if ((await nodeState(settings.cluster.name)) && (await isOurs(settings.cluster.name)))
    there.push(`KinD cluster ${settings.cluster.name} with all that is in it`)
  if (stackExists()) there.push(`Pulumi's state (${stateProblem() ?? `${stateResources().length} resources`})`)
  return there
}

/**
 * Removes the cluster, the state and everything else but what the next `up` is glad of: images, charts and programs.
 * Where there is nothing, it does nothing.
 * @throws LabError when something will not go.
 */
export async function downLab(): Promise<DownResult> {
  const began = performance.now()
  // Nothing of it is worth waiting for: the next `down` goes on from wherever this one stopped.
  const onSignal = () => process.exit(report(interruption('down')))
  process.once('SIGINT', onSignal)
  process.once('SIGTERM', onSignal)
  return withLabLock('down', async () => {
    const { settings, env } = await loadContext()
    const removed = (await whatIsThere()).length > 0
    const name = settings.cluster.name
    await requireNoOtherUpdate()
    if (settings.cluster.mode === 'existing') {
      await repair(settings, env)
      if (stateResources().length > 0) await runPulumi('destroy', { env })
    } else {
      // All that the state holds lives in the node and is `deletedWith` it: with the node gone, `pulumi destroy` would only write that down,
      // forty times, into a state that goes as well.
      await deleteCluster(name, () => {})
    }
    if (await leftovers(name))
      throw new LabError({
        found: `the cluster ${name} is still there`,
        expected: 'nothing left of it',
        next: `kind delete cluster --name ${name}`,
      })
    removeState()
    await removeNetwork()
    for (const file of ['grafana-password', 'kubeconfig', 'cluster.json', 'kernel.json', 'stood-up.json'])
      rmSync(labPath(file), { force: true })
    return { removed, seconds: (performance.now() - began) / 1000 }
  })
}

const leftovers = async (name: string): Promise<boolean> => (await nodeState(name)) !== undefined && isOurs(name)

/** kind makes a network for its clusters and leaves it; it goes when no cluster uses it any more. */
async function removeNetwork(): Promise<void> {
  const { stdout, failed } = await execa('docker', ['network', 'inspect', 'kind', '--format', '{{len .Containers}}'], {
    reject: false,
  })
  if (!failed && stdout.trim() === '0') await execa('docker', ['network', 'rm', 'kind'], { reject: false })
}
