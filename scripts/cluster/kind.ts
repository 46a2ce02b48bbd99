import { chmodSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import type { ClusterSpec } from '../../shared/cluster-spec.ts'
import { kubeconfigFile } from '../../shared/kubeconfig.ts'
import { LabError } from '../../shared/lab-error.ts'
import { imageRef } from '../../shared/lock.ts'
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
import { kubectl } from './kubectl.ts'
import { nodeName, nodeState } from './node-container.ts'

/** Receives each line of progress. */
type Log = (line: string) => void

/**
 * Creates the cluster, or starts or recreates an existing one. Returns when its API responds, its node is ready and has
 * every image. A second call changes nothing.
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
  const prepareNode = async () => {
    const loaded = imagesPulled.then(() =>
      loadImagesIntoNode(node, spec.images.map(imageRef), { onProgress: imageLog(log) }),
    )
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
  await Promise.all([createCluster(spec, env, log), prepareNode()])
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

async function createCluster({ name, nodeImage, config }: ClusterSpec, env: ClusterEnv, log: Log): Promise<void> {
  log('creating the node')
  // By tag, because kind would look up a digest in the registry even for an image that was loaded from a file. The pull
  // has verified the digest.
  const image = ['--image', imageRef(nodeImage)]
  const target = ['--name', name, '--kubeconfig', kubeconfigFile()]
  // kind would add its context to those of another cluster.
  await prepareKubeconfig({ mode: 'create', name, context: '' }, env)
  await kind(['create', 'cluster', ...target, ...image, '--config', '-', '--wait', '0s', '-q'], env, { input: config })
  chmodSync(kubeconfigFile(), 0o600)
  log('the node has booted')
  await waitUntilReady(name, 120, env, log)
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
    await waitUntilReady(name, 60, env, log)
    return true
  } catch (error) {
    if (error instanceof LabError) return false
    throw error
  }
}

/** Waits until the API responds and every node is ready. Pulumi treats a cluster as unreachable if it asks earlier. */
async function waitUntilReady(name: string, seconds: number, env: ClusterEnv, log: Log): Promise<void> {
  let problem: string | undefined
  const startedAt = Date.now()
  while (Date.now() < startedAt + seconds * 1000) {
    problem = await readinessProblem(name, env)
    if (problem === undefined) {
      log('the cluster is ready')
      return
    }
    await sleep(500)
  }
  throw new LabError({
    found: `The cluster is not ready after ${Math.round((Date.now() - startedAt) / 1000)} s (${problem})`,
    next: './lab up again; if it fails again: ./lab doctor',
  })
}

async function readinessProblem(name: string, env: ClusterEnv): Promise<string | undefined> {
  const access = { settings: { cluster: { mode: 'create', name, context: '' } }, env } as const
  const limit = { timeoutMs: 10_000 }
  const readyConditions = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
  try {
    const statuses = await kubectl(access, ['get', 'nodes', '-o', readyConditions, '--request-timeout=5s'], limit)
    if (!/^True( True)*$/.test(statuses.trim())) return `node conditions: ${statuses}`
    const health = await kubectl(access, ['get', '--raw', '/readyz', '--request-timeout=5s'], limit)
    return health.trim() === 'ok' ? undefined : health
  } catch (error) {
    if (error instanceof LabError) return error.found
    throw error
  }
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
