import { LabError } from '../../shared/lab-error.ts'
import { namespaces } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { nodeDigest } from '../../stacks/kind-config.ts'
import { isUnrecordedOwnCluster, nodeStateAfterInterruption, repairRecords } from '../cluster/cluster-records.ts'
import { deleteCluster, startCluster } from '../cluster/kind.ts'
import { kubectlJson, runKubectl } from '../cluster/kubectl.ts'
import type { Context } from '../context/context.ts'
import { stateDir } from '../context/environment.ts'
import { isPulumi } from './processes.ts'
import {
  clearState,
  deleteState,
  hasPendingOperations,
  isLocked,
  lockHolders,
  nodeDigestInState,
  removeLocks,
  repairStore,
  stateHasNode,
  stateProblem,
  stateResources,
} from './state.ts'

/** What was repaired. */
export interface Repairs {
  /** One line for each repair. */
  done: string[]
  /** Helm releases whose records were deleted. Pulumi installs them again. */
  deletedReleases: string[]
}

/** `lab up` prints each repair at its end. */
const silent = (): void => {}

/**
 * Makes sure that no Pulumi is working on the stack that the lab has not started.
 * @throws LabError when one is.
 */
export async function requireNoOtherUpdate(): Promise<void> {
  for (const pid of lockHolders())
    if (await isPulumi(pid))
      throw new LabError({
        found: `A pulumi that you started by hand is working on the lab (pid ${pid})`,
        next: `wait until it has finished, or stop it: kill -INT ${pid}`,
      })
}

/**
 * Repairs what an interrupted `lab up` or a lost cluster left behind, so that `up` and `down` can continue. The
 * caller holds the lab's lock.
 * @throws LabError when a Pulumi that was started by hand is working on the stack.
 */
export async function repair(context: Context): Promise<Repairs> {
  const { settings } = context
  await requireNoOtherUpdate()
  const done = await repairState(context)
  if (settings.cluster.mode === 'existing') return { done, deletedReleases: [] }
  const cluster = await repairCluster(context)
  return { done: [...done, ...cluster.done], deletedReleases: cluster.deletedReleases }
}

async function repairState({ settings, env }: Context): Promise<string[]> {
  const done: string[] = []
  if (isLocked()) {
    removeLocks()
    done.push('removed the lock of an update that was killed')
  }
  if (repairStore()) done.push("deleted damaged files beside Pulumi's state")
  const problem = stateProblem()
  if (problem) {
    requireOwnCluster(settings, problem)
    // Without the state, the lab cannot tell what the cluster contains. A new cluster takes seconds.
    await deleteCluster(settings.cluster.name, env, silent)
    deleteState()
    done.push(`deleted Pulumi's state, which ${problem}. The lab is created from scratch`)
  }
  return done
}

/** Without a state, the lab cannot tell what it installed in the user's own cluster, so it deletes nothing there. */
function requireOwnCluster({ cluster }: Settings, problem: string): void {
  if (cluster.mode === 'existing')
    throw new LabError({
      found: `Pulumi's state in ${stateDir()} ${problem}`,
      expected: `a state that lists what the lab has installed in ${cluster.context}, so that the lab can remove it`,
      next: `kubectl --context ${cluster.context} delete namespace ${Object.values(namespaces).join(' ')} && rm -r ${stateDir()}`,
    })
}

async function repairCluster(context: Context): Promise<Repairs> {
  const { name } = context.settings.cluster
  const { env } = context
  const node = await nodeStateAfterInterruption(name)
  if (node === undefined) return { done: forgetLostCluster(), deletedReleases: [] }
  const done = stateHasNode() ? await repairRecords(name, env) : []
  const recreate = async (why: string): Promise<Repairs> => {
    await deleteCluster(name, env, silent)
    clearState()
    return { done: [...done, `deleted a cluster that ${why}`], deletedReleases: [] }
  }
  if (await isUnrecordedOwnCluster(name)) return recreate('this lab had created, but had no record of')
  // Pulumi does not know the node when its creation was interrupted. The next `up` continues it.
  if (!stateHasNode()) return { done, deletedReleases: [] }
  // Pulumi would replace the node alone, and then fail to find in the new one what was in the old one.
  const madeFrom = nodeDigestInState()
  if (madeFrom !== undefined && madeFrom !== nodeDigest(context)) return recreate('had another port, image or setting')
  if (node !== 'running') done.push(`started the node, which was ${node}`)
  // A running node is expected to answer: starting it again would take seconds.
  let deletedReleases = node === 'running' ? await deleteUnfinishedReleases(context) : undefined
  if (!deletedReleases) {
    if (!(await startCluster(name, node, env, silent))) return recreate('did not respond')
    deletedReleases = (await deleteUnfinishedReleases(context)) ?? []
  }
  done.push(...deletedReleases.map(release => `deleted the record of the unfinished release ${release}`))
  return { done, deletedReleases }
}

/** Everything that the state describes was in the node. */
function forgetLostCluster(): string[] {
  if (!stateHasNode() && !hasPendingOperations()) return []
  clearState()
  return ['cleared the state of a cluster that no longer exists']
}

interface Secrets {
  items: { metadata: { name: string; labels: { name: string; status: string } } }[]
}

/**
 * Deletes the records of Helm releases that Pulumi does not know, or that are pending. Helm writes a release's record
 * when the installation starts, and would reject the next one with "cannot re-use a name". The next installation adopts
 * the objects of the interrupted one.
 * @returns the releases; undefined when the cluster does not respond.
 */
async function deleteUnfinishedReleases(context: Context): Promise<string[] | undefined> {
  const known = new Set(
    stateResources()
      .filter(resource => resource.type === 'kubernetes:helm.sh/v3:Release')
      .map(resource => resource.urn.split('::').at(-1)),
  )
  const inMonitoring = ['-n', namespaces.monitoring]
  let secrets: Secrets
  try {
    const args = ['get', 'secrets', ...inMonitoring, '-l', 'owner=helm', '--request-timeout=5s']
    secrets = await kubectlJson<Secrets>(context, args)
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    return undefined
  }
  const unfinished = secrets.items.filter(
    ({ metadata: { labels } }) => !known.has(labels.name) || labels.status.startsWith('pending'),
  )
  if (unfinished.length === 0) return []
  const names = unfinished.map(({ metadata }) => metadata.name)
  await runKubectl(context, ['delete', 'secret', ...inMonitoring, ...names])
  return unfinished.map(({ metadata: { labels } }) => labels.name)
}
