import { execa } from 'execa'
import { namespaces } from '../../stacks/names.ts'
import type { Settings } from '../../stacks/settings.ts'
import { nodeState } from '../cluster/kind.ts'
import { kubectlJson } from '../kube.ts'
import { breakLock, forgetState, hasPendingOperations, isLocked, stateHasNode, stateResources } from './state.ts'

/**
 * Puts right what an interrupted or vanished lab left behind, so that `up` and `down` can go on from there. The caller holds the lab's
 * lock: no other update runs.
 * @returns what was mended, a line each.
 */
export async function mend(settings: Settings, env: Record<string, string>): Promise<string[]> {
  const done: string[] = []
  if (isLocked()) {
    breakLock()
    done.push('broke the lock of an update that was killed')
  }
  if (settings.cluster.mode === 'existing') return done
  const state = await nodeState(settings.cluster.name)
  if (state === undefined) {
    // All that the state describes lived in the node.
    if (stateHasNode() || hasPendingOperations()) {
      forgetState()
      done.push('forgot a cluster that is gone')
    }
    return done
  }
  if (state === 'running') done.push(...(await dropUnknownReleases(env)))
  return done
}

interface Secrets {
  items: { metadata: { name: string; labels: { name: string; status: string } } }[]
}

/**
 * Helm remembers a release from the moment it begins. One that Pulumi does not know of was cut off in between, and would be refused as
 * "cannot re-use a name": its record is dropped, and the next install takes over the objects that it made.
 */
async function dropUnknownReleases(env: Record<string, string>): Promise<string[]> {
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
  } catch {
    // A cluster that does not answer is mended by its own command, which makes it anew.
    return []
  }
  const stray = secrets.items.filter(
    ({ metadata: { labels } }) => !known.has(labels.name) || labels.status.startsWith('pending'),
  )
  if (stray.length === 0) return []
  await execa('kubectl', ['delete', 'secret', '-n', namespaces.monitoring, ...stray.map(item => item.metadata.name)], {
    env,
    reject: false,
  })
  return stray.map(({ metadata: { labels } }) => `dropped the half-made release ${labels.name}`)
}
