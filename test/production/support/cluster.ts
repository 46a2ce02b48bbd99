import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { stringify } from 'yaml'
import { loadImagesIntoNode } from '../../../scripts/supplies/node-images.ts'
import { pullImages } from '../../../scripts/supplies/pull-images.ts'
import { ensureTools } from '../../../scripts/supplies/tools.ts'
import { imagesOf } from '../../../shared/lab-images.ts'
import { imageRef, readLock } from '../../../shared/lock.ts'
import { podSubnet, serviceSubnet } from '../../../shared/names.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { runFolder } from './run.ts'

// A cluster of three nodes that is not the lab's, in a network of its own, and what somebody else runs in it.

const name = 'lab-production'
/** With a subnet of its own, the S3 server keeps its address when it restarts. */
export const network = { name, subnet: '172.30.0.0/16', s3Address: '172.30.255.10' } as const
export const context = `kind-${name}`
export const kubeconfig = join(runFolder, 'kubeconfig')
/** Node containers. The first runs the control plane, and pods like the others. */
export const nodes = [`${name}-control-plane`, `${name}-worker`, `${name}-worker2`] as const

const lock = readLock()

/** Runs docker. @throws Error with what it printed, unless `reject` is false. */
export const docker = (args: readonly string[], options: { input?: string; reject?: false; timeout?: number } = {}) =>
  execa('docker', args, { ...options, reject: options.reject ?? true })

async function kind(args: readonly string[], input?: string): Promise<void> {
  const { kind } = await ensureTools(lock, ['kind'])
  const env = { KUBECONFIG: kubeconfig, KIND_EXPERIMENTAL_DOCKER_NETWORK: network.name }
  await execa(kind!, args, { env, input })
}

/** Starts kubectl on the cluster, as somebody who does not know the lab. */
export async function startKubectl(args: readonly string[], options: { input?: string; reject?: boolean } = {}) {
  const { kubectl } = await ensureTools(lock, ['kubectl'])
  // In an object, because a promise of a process would be awaited.
  return { process: execa(kubectl!, args, { env: { KUBECONFIG: kubeconfig }, maxBuffer: 2 ** 28, ...options }) }
}

/** Runs kubectl. @returns its standard output. @throws Error when it fails. */
export async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { process } = await startKubectl(args, { input })
  return (await process).stdout
}

/** Runs kubectl and parses what it prints. */
export const kubectlJson = async <T>(args: readonly string[]): Promise<T> =>
  JSON.parse(await kubectl([...args, '-o', 'json'])) as T

/** Creates the cluster with the images that the lab needs on each node. Registries may be out of reach for the nodes. */
export async function createCluster(settings: Settings): Promise<void> {
  mkdirSync(runFolder, { recursive: true, mode: 0o700 })
  const images = imagesOf({ settings, source: 'replay' }).map(image => lock.images[image])
  await pullImages([lock.nodeImage, ...images])
  await docker(['network', 'create', '--subnet', network.subnet, network.name])
  const image = ['--image', imageRef(lock.nodeImage)]
  await kind(['create', 'cluster', '--name', name, ...image, '--config', '-', '--wait', '180s'], stringify(kindConfig))
  // Three replicas on three nodes need the control plane's node too.
  await kubectl(['taint', 'nodes', nodes[0], 'node-role.kubernetes.io/control-plane-'])
  for (const node of nodes) await loadImagesIntoNode(node, images.map(imageRef))
  await kubectl(['apply', '-f', '-'], bystander)
  await kubectl(['-n', 'bystander', 'rollout', 'status', 'deployment/bystander', '--timeout', '120s'])
}

const kindConfig = {
  kind: 'Cluster',
  apiVersion: 'kind.x-k8s.io/v1alpha4',
  networking: { podSubnet, serviceSubnet },
  // Without it, the kubelet of Kubernetes 1.35 and later does not start on a machine with cgroup v1.
  kubeadmConfigPatches: [
    stringify({ apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', failCgroupV1: false }),
  ],
  nodes: nodes.map((_, index) => ({
    role: index === 0 ? 'control-plane' : 'worker',
    labels: { 'topology.kubernetes.io/zone': `zone-${index + 1}` },
  })),
}

/** What somebody else has in the cluster, with a volume and a secret. */
const bystander = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'bystander' } },
  ...[
    { apiVersion: 'v1', kind: 'ConfigMap', data: { owner: 'somebody' } },
    { apiVersion: 'v1', kind: 'Secret', stringData: { owner: 'somebody' } },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'bystander' } },
        template: {
          metadata: { labels: { app: 'bystander' } },
          spec: {
            containers: [
              {
                name: 'sleep',
                image: imageRef(lock.images.node),
                command: ['sleep', 'infinity'],
                volumeMounts: [{ name: 'data', mountPath: '/data' }],
              },
            ],
            volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'bystander' } }],
            terminationGracePeriodSeconds: 0,
          },
        },
      },
    },
  ].map(object => ({ ...object, metadata: { name: 'bystander', namespace: 'bystander' } })),
]
  .map(object => stringify(object))
  .join('---\n')

/** Deletes the cluster and its network. */
export async function deleteCluster(): Promise<void> {
  await kind(['delete', 'cluster', '--name', name])
  await docker(['network', 'rm', network.name], { reject: false })
}

/** Waits until something holds. @throws Error after the time is over, with what was last in the way. */
export async function waitFor(
  what: string,
  problem: () => Promise<string | undefined>,
  seconds: number,
): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; ; await new Promise(resolve => setTimeout(resolve, 2000))) {
    const found = await problem().catch((error: Error) => error.message.split('\n')[0]!)
    if (found === undefined) return
    if (Date.now() > deadline) throw new Error(`Still waiting for ${what} after ${seconds} s: ${found}`)
  }
}

interface Pod {
  metadata: { name: string; uid: string; deletionTimestamp?: string }
  spec: { nodeName?: string }
  status: { phase: string; conditions?: { type: string; status: string }[] }
}

const isReady = ({ metadata, status }: Pod): boolean =>
  status.phase === 'Succeeded' ||
  (!metadata.deletionTimestamp &&
    (status.conditions ?? []).some(({ type, status }) => type === 'Ready' && status === 'True'))

/** Returns the pods of the lab that are not ready, and the nodes that are not. */
async function notReady(): Promise<string | undefined> {
  const [pods, clusterNodes] = await Promise.all([
    kubectlJson<{ items: Pod[] }>(['-n', 'monitoring', 'get', 'pods']),
    kubectlJson<{ items: Pod[] }>(['get', 'nodes']),
  ])
  const waiting = [...pods.items, ...clusterNodes.items].filter(item => !isReady(item))
  return waiting.length > 0 ? `not ready: ${waiting.map(({ metadata }) => metadata.name).join(', ')}` : undefined
}

/** Returns a ready pod with these labels, as `pod/loki-1`. That of a node that has just stopped looks ready for a while. */
export async function livePod(labels: string): Promise<string> {
  const { items } = await kubectlJson<{ items: Pod[] }>(['-n', 'monitoring', 'get', 'pods', '-l', labels])
  for (const pod of items.filter(isReady)) {
    const { stdout } = await docker(['inspect', '--format', '{{.State.Running}}', pod.spec.nodeName!])
    if (stdout === 'true') return `pod/${pod.metadata.name}`
  }
  throw new Error(`No pod with ${labels} is ready on a node that runs`)
}

/** Waits until every node and every pod of the lab is ready. */
export const allReady = (seconds = 300): Promise<void> => waitFor('the pods of the lab', notReady, seconds)

/** Kills the processes of a pod. Kubernetes gives them two seconds even if it is told not to wait. */
async function killProcesses({ metadata, spec }: Pod): Promise<void> {
  const script = `for container in $(crictl ps --quiet --label io.kubernetes.pod.uid=${metadata.uid}); do
    kill -9 "$(crictl inspect --output go-template --template '{{.info.pid}}' "$container")"
  done`
  await docker(['exec', spec.nodeName!, 'bash', '-ec', script])
}

/**
 * Kills one pod with these labels, as a crash would, without time to end, and waits until another is ready in its place.
 */
export async function killPod(labels: string): Promise<void> {
  const withLabels = async () =>
    (await kubectlJson<{ items: Pod[] }>(['-n', 'monitoring', 'get', 'pods', '-l', labels])).items
  const before = await withLabels()
  // Not on the control plane's node, whose API server is what everything here asks.
  const victim = before.find(({ spec }) => spec.nodeName !== nodes[0]) ?? before[0]
  if (!victim) throw new Error(`The namespace monitoring has no pod with ${labels}`)
  const { name, uid } = victim.metadata
  await killProcesses(victim)
  await kubectl(['-n', 'monitoring', 'delete', 'pod', name, '--grace-period=0', '--force', '--wait=false'])
  const isReplaced = async (): Promise<string | undefined> => {
    const now = await withLabels()
    const replaced = now.length === before.length && !now.some(({ metadata }) => metadata.uid === uid)
    return replaced ? notReady() : `${name} has no successor`
  }
  await waitFor(`another pod in the place of ${name}`, isReplaced, 300)
}
