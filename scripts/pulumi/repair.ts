import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { namespaces } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { deleteCluster, isForgotten, mendRecords, revive, settledNodeState } from '../cluster/kind.ts'
import { kubectlJson } from '../cluster/kubectl.ts'
import { stateDir } from '../context/environment.ts'
import { isPulumi } from './processes.ts'
import {
  breakLock,
  dropState,
  forgetState,
  hasPendingOperations,
  isLocked,
  lockHolders,
  mendStore,
  stateHasNode,
  stateProblem,
  stateResources,
} from './state.ts'

/** What is done is said at the end, a line each. */
const silently = (): void => {}

/**
 * Makes sure that no Pulumi works on the stack which this lab did not start.
 * @throws LabError when one does.
 */
export async function requireNoOtherUpdate(): Promise<void> {
  for (const pid of lockHolders())
    if (await isPulumi(pid))
      throw new LabError({
        found: `a pulumi that was started by hand is working on the lab (process ${pid})`,
        expected: 'one at a time',
        next: `wait for it, or stop it: kill -INT ${pid}`,
      })
}

/**
 * Puts right what an interrupted or vanished lab left behind, so that `up` and `down` can go on from there. The caller holds the lab's
 * lock: no other update runs.
 * @returns what was mended, a line each.
 * @throws LabError when a Pulumi that was started by hand is at work.
 */
export async function repair(settings: Settings, env: Record<string, string>): Promise<string[]> {
  const done: string[] = []
  await requireNoOtherUpdate()
  if (isLocked()) {
    breakLock()
    done.push('broke the lock of an update that was killed')
  }
  if (mendStore()) done.push("removed damaged files beside Pulumi's state")
  const problem = stateProblem()
  if (problem) {
    await startAnew(settings, problem)
    done.push(`dropped Pulumi's state, which ${problem}: all is made anew`)
  }
  if (settings.cluster.mode === 'existing') return done
  const { name } = settings.cluster
  const state = await settledNodeState(name)
  if (state === undefined) {
    // All that the state describes lived in the node.
    if (stateHasNode() || hasPendingOperations()) {
      forgetState()
      done.push('forgot a cluster that is gone')
    }
    return done
  }
  if (stateHasNode()) done.push(...(await mendRecords(name)))
  if (await isForgotten(name)) {
    await deleteCluster(name, silently)
    forgetState()
    return [...done, 'removed a cluster of this lab, of which nothing was known any more']
  }
  // One that Pulumi does not know yet was cut off while it was made: making it goes on from there by itself.
  if (!stateHasNode()) return done
  if (state !== 'running') done.push(`started the node, which was ${state}`)
  const stray = state === 'running' ? await dropUnknownReleases(env) : undefined
  if (stray) return [...done, ...stray]
  if (await revive(name, state, silently)) return [...done, ...((await dropUnknownReleases(env)) ?? [])]
  await deleteCluster(name, silently)
  forgetState()
  return [...done, 'removed a cluster that did not answer any more']
}

/** Without a state nothing tells what is in the cluster. The lab's own is quickly made; what is in another's stays for its owner to remove. */
async function startAnew({ cluster }: Settings, problem: string): Promise<void> {
  if (cluster.mode === 'existing')
    throw new LabError({
      found: `Pulumi's state in ${stateDir()} ${problem}`,
      expected: `to know what the lab made in ${cluster.context}, and so be able to remove it`,
      next: `kubectl --context ${cluster.context} delete namespace ${Object.values(namespaces).join(' ')} && rm -r ${stateDir()}`,
    })
  await deleteCluster(cluster.name, silently)
  dropState()
}

const droppedRelease = 'dropped the half-made release '

/** Names of the releases whose records were dropped, of what was mended: Pulumi finds them gone, and installs them by itself. */
export const droppedReleases = (mended: readonly string[]): string[] =>
  mended.filter(line => line.startsWith(droppedRelease)).map(line => line.slice(droppedRelease.length))

interface Secrets {
  items: { metadata: { name: string; labels: { name: string; status: string } } }[]
}

/**
 * Helm remembers a release from the moment it begins. One that Pulumi does not know of was cut off in between, and would be refused as
 * "cannot re-use a name": its record is dropped, and the next install takes over the objects that it made.
 * @returns what was dropped; undefined when the cluster does not answer.
 */
async function dropUnknownReleases(env: Record<string, string>): Promise<string[] | undefined> {
  const known = new Set(
    stateResources()
      .filter(resource => resource.type === 'kubernetes:helm.sh/v3:Release')
      .map(resource => resource.urn.split('::').at(-1)),
  )
  let secrets: Secrets
  try {
    secrets = await kubectlJson<Secrets>([
      'get',
      'secrets',
      '-n',
      namespaces.monitoring,
      '-l',
      'owner=helm',
      '--request-timeout=5s',
    ])
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    return undefined
  }
  const stray = secrets.items.filter(
    ({ metadata: { labels } }) => !known.has(labels.name) || labels.status.startsWith('pending'),
  )
  if (stray.length === 0) return []
  await execa('kubectl', ['delete', 'secret', '-n', namespaces.monitoring, ...stray.map(item => item.metadata.name)], {
    env,
    reject: false,
  })
  return stray.map(({ metadata: { labels } }) => `${droppedRelease}${labels.name}`)
}
