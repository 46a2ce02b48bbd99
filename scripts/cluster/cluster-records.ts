import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { z } from 'zod'
import { keylessKubeconfigFile, kubeconfigFile } from '../../shared/kubeconfig.ts'
import { labId, stackPath } from '../../shared/stack.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { readSingle } from '../../shared/validation/yaml-source.ts'
import { nodeConfig, nodeState } from './node-container.ts'

// `.lab/cluster.json` names the cluster that this lab created or began to create, so that the lab never touches another
// cluster of the same name. Where it is lost, the lab's id in the node's configuration shows who created it.

/** Environment for `kind` and `kubectl`: `env` of a `Context`. */
export type ClusterEnv = Readonly<Record<string, string>>

const recordFile = (): string => stackPath('cluster.json')

export const recordCluster = (name: string): void => writeStateFile(recordFile(), { name })

export function removeRecords(): void {
  rmSync(recordFile(), { force: true })
  rmSync(kubeconfigFile(), { force: true })
  rmSync(keylessKubeconfigFile(), { force: true })
}

/** Returns whether `.lab/cluster.json` names this cluster. A damaged file names none. */
export const isRecorded = (cluster: string): boolean =>
  readStateFile(recordFile(), z.object({ name: z.string() }))?.name === cluster

/** Returns whether this lab created the cluster. */
export const isOwnCluster = async (cluster: string): Promise<boolean> =>
  isRecorded(cluster) || (await carriesLabId(cluster))

/** Returns whether this lab created the cluster but has lost its record, because `.lab` was deleted or damaged. */
export const isUnrecordedOwnCluster = async (cluster: string): Promise<boolean> =>
  !isRecorded(cluster) && (await carriesLabId(cluster))

const carriesLabId = async (cluster: string): Promise<boolean> => (await nodeConfig(cluster)).includes(labId())

/**
 * Rewrites the record and the kubeconfig of the lab's own cluster where they are missing or damaged.
 * @returns what was repaired, one line for each file.
 */
export async function repairRecords(cluster: string, env: ClusterEnv): Promise<string[]> {
  const repaired: string[] = []
  if (await isUnrecordedOwnCluster(cluster)) {
    recordCluster(cluster)
    repaired.push('rewrote .lab/cluster.json, which was missing or damaged')
  }
  const damaged = kubeconfigContext(kubeconfigFile()) !== `kind-${cluster}`
  if (isRecorded(cluster) && damaged && (await exportKubeconfig(cluster, env)))
    repaired.push('rewrote .lab/kubeconfig, which was missing or damaged')
  return repaired
}

const kubeconfigSchema = z.object({
  'current-context': z.string(),
  clusters: z.array(z.object({ cluster: z.object({ server: z.string() }) })).min(1),
  users: z.array(z.object({ user: z.object({ 'client-key-data': z.string() }) })).min(1),
})

/** Returns the current context of a kubeconfig, or undefined where the file is missing or damaged. */
export const kubeconfigContext = (file: string): string | undefined =>
  existsSync(file)
    ? kubeconfigSchema.safeParse(readSingle(readFileSync(file, 'utf8')).value).data?.['current-context']
    : undefined

/**
 * Writes the kubeconfig that kind reads from the node.
 * @returns false when the node has none yet, because its creation was interrupted.
 */
export async function exportKubeconfig(name: string, env: ClusterEnv): Promise<boolean> {
  // kind fails to add a context to a damaged file, and would keep the contexts of another cluster.
  if (kubeconfigContext(kubeconfigFile()) !== `kind-${name}`) rmSync(kubeconfigFile(), { force: true })
  const args = ['export', 'kubeconfig', '--name', name, '--kubeconfig', kubeconfigFile(), '-q']
  const { failed } = await execa('kind', args, { env, reject: false })
  if (!failed) chmodSync(kubeconfigFile(), 0o600)
  return !failed
}

/** How long the engine may take to finish a container whose creation was interrupted. */
const interruptedCreationMs = 5000

/**
 * Returns the state of the node. After an interrupted creation it waits for a container that the engine may still be
 * creating.
 */
export async function nodeStateAfterInterruption(cluster: string): Promise<string | undefined> {
  for (const deadline = Date.now() + interruptedCreationMs; ; await sleep(300)) {
    const state = await nodeState(cluster)
    if (state || !isRecorded(cluster) || Date.now() > deadline) return state
  }
}
