import { chmodSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { parse, stringify } from 'yaml'
import type { ClusterSpec } from '../../shared/cluster-spec.ts'
import { kubeconfigFile } from '../../shared/kubeconfig.ts'
import { LabError } from '../../shared/lab-error.ts'
import { imageRef, readLock } from '../../shared/lock.ts'
import { runLimited } from '../../shared/run-limited.ts'
import { setCommand } from '../../shared/settings/config-commands.ts'
import { prepareKubeconfig } from '../context/kubeconfig.ts'
import { loadImagesIntoNode } from '../supplies/node-images.ts'
import { type OnImageProgress, pullImages, requirePublished } from '../supplies/pull-images.ts'
import { confineClusterAddresses } from './cluster-addresses.ts'
import {
  type ClusterEnv,
  exportKubeconfig,
  isOwnCluster,
  nodeStateAfterInterruption,
  recordCluster,
  removeRecords,
} from './cluster-records.ts'
import {
  cleanImageVolume,
  containerdFolder,
  type ImageVolume,
  prepareImageVolume,
  recordImages,
} from './image-volume.ts'
import { type ClusterAccess, kubectl } from './kubectl.ts'
import { nodeName, nodeState } from './node-container.ts'

/** Receives each line of progress. */
type Log = (line: string) => void

/**
 * Creates the cluster, or starts or recreates an existing one. Returns when its API responds and its node has every
 * image. A second call changes nothing.
 * @returns the node's name.
 * @throws LabError when the cluster is not the lab's own, an image is not published for it, or kind or Docker fail.
 */
export async function ensureCluster(spec: ClusterSpec, env: ClusterEnv, log: Log): Promise<string> {
  const { name } = spec
  const node = nodeName(name)
  const state = await nodeState(name)
  if (state) await requireOwnCluster(name)
  await requirePublished(spec.images)
  // Images are pulled while the cluster starts, and copied as soon as containerd runs in the node: a boot is mostly
  // waiting.
  const nodeImagePulled = pullImages([spec.nodeImage], imageLog(log))
  const imagesPulled = nodeImagePulled.then(() => pullImages(spec.images, imageLog(log)))
  const refs = spec.images.map(imageRef)
  const prepareNode = async () => {
    const loaded = imagesPulled.then(() => loadImagesIntoNode(node, refs, { onProgress: imageLog(log) }))
    await Promise.all([loaded, confineClusterAddresses(node)])
  }
  // Reported where it is awaited, which may be a while after a pull has failed.
  imagesPulled.catch(() => {})
  if (state && (await startCluster(name, state, env, log))) {
    await prepareNode()
    return node
  }
  if (state) await deleteCluster(name, env, log)
  recordCluster(name)
  await nodeImagePulled
  const nodeImage = imageRef(spec.nodeImage)
  const volume = await prepareImageVolume(name, nodeImage, refs)
  const created = createCluster(spec, volume, env, log)
  // With the images in the volume there is nothing to copy while the node boots, and it is checked once it has.
  if (volume?.filled) await created
  await Promise.all([created, prepareNode()])
  if (volume) await recordImages(node, nodeImage, refs)
  return node
}

async function requireOwnCluster(name: string): Promise<void> {
  if (await isOwnCluster(name)) return
  throw new LabError({
    found: `The kind cluster ${name} was not created by this lab`,
    expected: `an unused name, or no such cluster (kind delete cluster --name ${name})`,
    next: setCommand('cluster.name', `${name}-2`),
  })
}

/** Deletes a cluster that this lab created, if it exists, with its records and network. */
export async function deleteCluster(name: string, env: ClusterEnv, log: Log): Promise<void> {
  if (await nodeStateAfterInterruption(name)) {
    if (!(await isOwnCluster(name))) {
      log(`keeping the cluster ${name}, which this lab did not create`)
      return
    }
    log(`deleting the cluster ${name}`)
    await kind(['delete', 'cluster', '--name', name, '--kubeconfig', kubeconfigFile()], env)
    await cleanImageVolume(name, imageRef(readLock().nodeImage))
  }
  await removeUnusedNetwork()
  removeRecords()
}

/** Removes the network that kind creates and leaves behind, unless another cluster uses it. */
async function removeUnusedNetwork(): Promise<void> {
  const { stdout, failed } = await execa('docker', ['network', 'inspect', 'kind', '--format', '{{len .Containers}}'], {
    reject: false,
  })
  if (!failed && stdout.trim() === '0') await execa('docker', ['network', 'rm', 'kind'], { reject: false })
}

async function createCluster(
  { name, nodeImage, config }: ClusterSpec,
  volume: ImageVolume | undefined,
  env: ClusterEnv,
  log: Log,
): Promise<void> {
  log('creating the node')
  // By tag, because kind would look up a digest in the registry even for an image that was loaded from a file. The pull
  // has verified the digest.
  const image = ['--image', imageRef(nodeImage)]
  const target = ['--name', name, '--kubeconfig', kubeconfigFile()]
  // kind would add its context to those of another cluster.
  await prepareKubeconfig({ mode: 'create', name, context: '' }, env)
  const input = volume ? withImageVolume(config, volume) : config
  await kind(['create', 'cluster', ...target, ...image, '--config', '-', '--wait', '0s', '-q'], env, { input })
  chmodSync(kubeconfigFile(), 0o600)
  log('the node has booted')
  // The node becomes ready while the lab's objects are created.
  await waitUntil(apiProblem, { name, seconds: 120, env })
  log('the API responds')
}

/** The mount is not part of the Pulumi resource, which would replace the node where only the volume differs. */
function withImageVolume(config: string, { folder }: ImageVolume): string {
  const cluster = parse(config) as { nodes: { extraMounts?: object[] }[] }
  for (const node of cluster.nodes)
    node.extraMounts = [...(node.extraMounts ?? []), { hostPath: folder, containerPath: containerdFolder }]
  return stringify(cluster)
}

/** Starts a stopped or paused node. @returns whether its cluster becomes ready. */
export async function startCluster(name: string, state: string, env: ClusterEnv, log: Log): Promise<boolean> {
  if (state !== 'running') {
    log(`starting the node, which was ${state}`)
    const args = [state === 'paused' ? 'unpause' : 'start', nodeName(name)]
    const { failed, stderr } = await execa('docker', args, { reject: false })
    if (failed) throw kindError(stderr)
  }
  if (!(await exportKubeconfig(name, env))) return false
  try {
    await waitUntil(nodeProblem, { name, seconds: 60, env })
    log('the cluster is ready')
    return true
  } catch (error) {
    if (error instanceof LabError) return false
    throw error
  }
}

/** Waits until `problemOf` returns no problem. */
async function waitUntil(
  problemOf: (access: ClusterAccess) => Promise<string | undefined>,
  { name, seconds, env }: { name: string; seconds: number; env: ClusterEnv },
): Promise<void> {
  const access: ClusterAccess = { settings: { cluster: { mode: 'create', name, context: '' } }, env }
  const startedAt = Date.now()
  for (;;) {
    const problem = await problemOf(access).catch((error: unknown) => {
      if (error instanceof LabError) return error.found
      throw error
    })
    if (problem === undefined) return
    if (Date.now() > startedAt + seconds * 1000)
      throw new LabError({
        found: `The cluster is not ready after ${Math.round((Date.now() - startedAt) / 1000)} s (${problem})`,
        next: './lab up again; if it fails again: ./lab doctor',
      })
    await sleep(500)
  }
}

/** Pulumi treats a cluster as unreachable if it asks before the API responds. */
async function apiProblem(access: ClusterAccess): Promise<string | undefined> {
  const health = await kubectl(access, ['get', '--raw', '/readyz', '--request-timeout=5s'], { timeoutMs: 10_000 })
  return health.trim() === 'ok' ? undefined : health
}

async function nodeProblem(access: ClusterAccess): Promise<string | undefined> {
  const readyConditions = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
  const get = ['get', 'nodes', '-o', readyConditions, '--request-timeout=5s']
  const statuses = await kubectl(access, get, { timeoutMs: 10_000 })
  return /^True( True)*$/.test(statuses.trim()) ? apiProblem(access) : `node conditions: ${statuses}`
}

async function kind(args: string[], env: ClusterEnv, options: { input?: string } = {}): Promise<void> {
  const { failed, timedOut, all, code, seconds } = await runLimited('kind', args, {
    ...options,
    env,
    timeoutMs: 900_000,
  })
  if (failed) throw kindError(timedOut ? `kind ${args[0]} has not ended after ${seconds} s` : all, code)
}

function kindError(output: string, code?: string): LabError {
  if (code === 'ENOENT') return new LabError({ found: 'kind is not on PATH', next: 'eval "$(./lab env)"' })
  const line = output.split('\n').find(text => /error/i.test(text)) ?? output.trim().split('\n').at(-1) ?? ''
  return new LabError({ found: `kind failed: ${line.replace(/^ERROR: /, '').slice(0, 300)}`, next: './lab doctor' })
}

/** Logs one line for each image that is not present yet. */
const imageLog =
  (log: Log): OnImageProgress =>
  ({ ref, step, layers }) => {
    if (step === 'pulling' && layers) return
    if (step !== 'present') log(`${step} ${ref}`)
  }
