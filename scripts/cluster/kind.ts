import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { z } from 'zod'
import type { ClusterSpec } from '../../shared/cluster-spec.ts'
import { LabError } from '../../shared/lab-error.ts'
import { imageRef } from '../../shared/lock.ts'
import { labId, labPath } from '../../shared/paths.ts'
import { setCommand } from '../../shared/settings/config-commands.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { readSingle } from '../../shared/validation/yaml-source.ts'
import { loadImagesIntoNode } from '../supplies/node-images.ts'
import { type ImageProgress, pullImages } from '../supplies/pull-images.ts'
import { keepClusterAddressesInside } from './cluster-addresses.ts'

type Say = (line: string) => void

/** Environment of `kind` and `kubectl`: `env` of a `Context`. */
type Env = Readonly<Record<string, string>>

/** The container that plays the node of a cluster. */
export const nodeOf = (cluster: string): string => `${cluster}-control-plane`

/** What is remembered of a cluster that this lab made or began to make: so that nobody else's of the same name is ever touched. */
const recordFile = (): string => labPath('cluster.json')
const kubeconfig = (): string => labPath('kubeconfig')

/** A record that is damaged says nothing; then the node is asked. */
export const isRecorded = (cluster: string): boolean =>
  readStateFile(recordFile(), z.object({ name: z.string() }))?.name === cluster

/** Whether this lab made the cluster of that name: by what it remembers, or where that is lost, by what it wrote into the node. */
export const isOurs = async (cluster: string): Promise<boolean> =>
  isRecorded(cluster) || (await nodeConfig(cluster)).includes(labId())

/** Whether this lab made the cluster, but remembers nothing of it: its folder was deleted. */
export const isForgotten = async (cluster: string): Promise<boolean> =>
  !isRecorded(cluster) && (await nodeConfig(cluster)).includes(labId())

/**
 * Writes anew what is kept of a cluster of this lab, where it is gone or damaged.
 * @returns what was, a line each.
 */
export async function repairRecords(cluster: string, env: Env): Promise<string[]> {
  const done: string[] = []
  if (await isForgotten(cluster)) {
    writeStateFile(recordFile(), { name: cluster })
    done.push('wrote .lab/cluster.json anew, which was damaged')
  }
  if (isRecorded(cluster) && contextOf(kubeconfig()) !== `kind-${cluster}` && (await exportKubeconfig(cluster, env)))
    done.push('wrote .lab/kubeconfig anew, which was damaged')
  return done
}

const kubeconfigSchema = z.object({
  'current-context': z.string(),
  clusters: z.array(z.object({ cluster: z.object({ server: z.string() }) })).min(1),
  users: z.array(z.object({ user: z.object({ 'client-key-data': z.string() }) })).min(1),
})

/** The context that a kubeconfig leads to, undefined where it is not there or damaged. */
export const contextOf = (file: string): string | undefined =>
  existsSync(file)
    ? kubeconfigSchema.safeParse(readSingle(readFileSync(file, 'utf8')).value).data?.['current-context']
    : undefined

/** kind takes it from the node, where an interrupted creation may not have put it yet. @returns whether it did. */
async function exportKubeconfig(name: string, env: Env): Promise<boolean> {
  // kind would add to a damaged one, and fail.
  if (contextOf(kubeconfig()) === undefined) rmSync(kubeconfig(), { force: true })
  const { failed } = await execa('kind', ['export', 'kubeconfig', '--name', name, '--kubeconfig', kubeconfig(), '-q'], {
    env,
    reject: false,
  })
  if (!failed) chmodSync(kubeconfig(), 0o600)
  return !failed
}

/** What kind has started the node with, also of one that does not run. Empty when there is none. */
async function nodeConfig(cluster: string): Promise<string> {
  const { stdout } = await execa('docker', ['cp', `${nodeOf(cluster)}:/kind/kubeadm.conf`, '-'], { reject: false })
  return stdout
}

/** State of the node's container, as Docker says: `running`, `exited`, …, or undefined when there is none. */
export async function nodeState(cluster: string): Promise<string | undefined> {
  const { stdout, failed } = await execa('docker', ['inspect', '--format', '{{.State.Status}}', nodeOf(cluster)], {
    reject: false,
  })
  return failed ? undefined : stdout.trim()
}

/** How long the engine may still be at making a node that nobody waits for any more, in milliseconds. */
const late = 5000

/** The same for whoever mends: where making a cluster was cut off, there is a record and no node, but the engine may be about to have one. */
export async function settledNodeState(cluster: string): Promise<string | undefined> {
  for (const end = Date.now() + late; ; await sleep(300)) {
    const state = await nodeState(cluster)
    if (state || !isRecorded(cluster) || Date.now() > end) return state
  }
}

/**
 * Makes the cluster, or mends it, or leaves it as it is, and returns when its API answers, its node is ready and every image is in it.
 * Images are pulled and loaded while the node boots. Done twice, it does nothing the second time.
 * @returns the node's name.
 * @throws LabError when a cluster of this name belongs to somebody else, or kind or Docker fail.
 */
export async function ensureCluster(spec: ClusterSpec, env: Env, say: Say): Promise<string> {
  const node = nodeOf(spec.name)
  const state = await nodeState(spec.name)
  if (state && !(await isOurs(spec.name)))
    throw new LabError({
      found: `a KinD cluster named ${spec.name} that this lab did not make`,
      expected: 'a name that is free',
      next: `${setCommand('cluster.name', `${spec.name}-2`)}, or: kind delete cluster --name ${spec.name}`,
    })
  const pulled = pullImages([spec.nodeImage], tell(say)).then(() => pullImages(spec.images, tell(say)))
  // Loaded as soon as the node's containerd runs: its boot is mostly waiting.
  const load = async () => {
    await pulled
    await loadImagesIntoNode(node, spec.images.map(imageRef), { onProgress: tell(say) })
  }
  if (state && (await revive(spec.name, state, env, say))) {
    await Promise.all([load(), keepClusterAddressesInside(node)])
    return node
  }
  if (state) await deleteCluster(spec.name, env, say)
  writeStateFile(recordFile(), { name: spec.name })
  await pullImages([spec.nodeImage], tell(say))
  await Promise.all([create(spec, env, say).then(() => ready(120, env, say)), load(), keepClusterAddressesInside(node)])
  return node
}

/** Deletes a cluster that this lab made. One that is not there is no error. */
export async function deleteCluster(name: string, env: Env, say: Say): Promise<void> {
  if (await settledNodeState(name)) {
    if (!(await isOurs(name))) {
      say(`cluster ${name} was not made by this lab: left alone`)
      return
    }
    say(`deleting cluster ${name}`)
    await kind(['delete', 'cluster', '--name', name, '--kubeconfig', kubeconfig()], env)
  }
  rmSync(recordFile(), { force: true })
  rmSync(kubeconfig(), { force: true })
}

async function create(spec: ClusterSpec, env: Env, say: Say): Promise<void> {
  say('creating the node')
  // By its tag: the pull has made sure that it is the image of the lock, and by digest kind would ask a registry for one that was loaded from a file.
  const creating = execa(
    'kind',
    [
      'create',
      'cluster',
      '--name',
      spec.name,
      '--image',
      imageRef(spec.nodeImage),
      '--kubeconfig',
      kubeconfig(),
      '--config',
      '-',
      '--wait',
      '0s',
      '-q',
    ],
    { input: spec.config, env, reject: false, all: true },
  )
  const result = await creating
  if (result.failed) throw kindProblem(result.all ?? '', result.code)
  chmodSync(kubeconfig(), 0o600)
  say('the node has booted')
}

/** Starts a node that is stopped or paused, and says whether its cluster answers. */
export async function revive(name: string, state: string, env: Env, say: Say): Promise<boolean> {
  if (state !== 'running') {
    say(`starting the node, which was ${state}`)
    const { failed, stderr } = await execa('docker', [state === 'paused' ? 'unpause' : 'start', nodeOf(name)], {
      reject: false,
    })
    if (failed) throw kindProblem(stderr)
  }
  if (!(await exportKubeconfig(name, env))) return false
  try {
    await ready(60, env, say)
    return true
  } catch (error) {
    if (error instanceof LabError) return false
    throw error
  }
}

/** Waits until the API answers and the node is ready: whoever asks earlier is told that the cluster is unreachable, and believes it. */
async function ready(seconds: number, env: Env, say: Say): Promise<void> {
  const end = Date.now() + seconds * 1000
  let last = ''
  while (Date.now() < end) {
    const args = [
      'get',
      'nodes',
      '-o',
      'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}',
      '--request-timeout=5s',
    ]
    const { stdout, stderr, failed } = await kubectl(args, env)
    if (
      !failed &&
      stdout.trim() !== '' &&
      stdout
        .trim()
        .split(' ')
        .every(status => status === 'True')
    ) {
      const api = await kubectl(['get', '--raw', '/readyz', '--request-timeout=5s'], env)
      if (!api.failed && api.stdout.trim() === 'ok') {
        say('the cluster is ready')
        return
      }
      last = api.stderr
    } else last = failed ? stderr : `node conditions: ${stdout}`
    await sleep(500)
  }
  throw new LabError({
    found: `the cluster is not ready after ${seconds} s (${last.split('\n').at(-1)})`,
    expected: 'an API that answers and a node that is ready',
    next: './lab up again; if it stays so: ./lab doctor',
  })
}

const kubectl = (args: string[], env: Env) =>
  execa('kubectl', ['--kubeconfig', kubeconfig(), ...args], { env, reject: false })

async function kind(args: string[], env: Env): Promise<void> {
  const { failed, all, code } = await execa('kind', args, { env, reject: false, all: true })
  if (failed) throw kindProblem(all ?? '', code)
}

function kindProblem(output: string, code?: string): LabError {
  if (code === 'ENOENT')
    return new LabError({
      found: 'no kind on PATH',
      expected: 'the one that lab.lock.yaml pins',
      next: 'eval "$(./lab env)"',
    })
  const line = output.split('\n').find(found => /error/i.test(found)) ?? output.trim().split('\n').at(-1) ?? ''
  const taken = /port is already allocated|address already in use/.test(output)
  return new LabError({
    found: `kind failed: ${line.replace(/^ERROR: /, '').slice(0, 300)}`,
    expected: taken ? 'ports that are free' : 'a cluster that boots',
    next: './lab doctor',
  })
}

/** One line for each image that is not there already. */
const tell =
  (say: Say) =>
  ({ ref, step, layers }: ImageProgress): void => {
    if (step === 'pulling' && layers) return
    if (step !== 'present') say(`${step} ${ref}`)
  }
