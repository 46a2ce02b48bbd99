import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from '../../shared/lab-error.ts'
import { imageRef } from '../../shared/lock.ts'
import { dockerLabel, exportFile, labNamespaces, namespaces, releases, shipperStorage } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { withCleanUp } from '../cluster/clean-up.ts'
import { type ClusterAccess, kubectl, kubectlJson } from '../cluster/kubectl.ts'
import type { Context } from '../context/context.ts'
import { isSamePolicy, listClusterPolicies } from '../policy/apply.ts'
import { stateResources } from '../pulumi/state.ts'
import type { PolicyKey } from '../tetragon/agent-policies.ts'

// What `pulumi destroy` does not remove from a cluster of the user's own, because Pulumi has not created it.

/**
 * Returns the policies that the user has applied. They are deleted with the definition of TracingPolicies, which
 * belongs to the lab's Tetragon.
 */
export async function ownPolicies(access: ClusterAccess): Promise<PolicyKey[]> {
  const fromLab = stateResources()
    .filter(({ type }) => /^kubernetes:cilium\.io\/v1alpha1:TracingPolicy/.test(type))
    .map(({ inputs }) => inputs?.metadata as PolicyKey)
  return (await listClusterPolicies(access)).filter(policy => !fromLab.some(lab => isSamePolicy(lab, policy)))
}

/**
 * Removes what the lab's programs have created in the cluster and on its nodes, after their pods are gone.
 * @returns what stays, one line each.
 */
export async function removeLeftovers(context: Context): Promise<string[]> {
  const left = [
    await orReason(() => removeKubeletService(context), `the Service ${kubeletService.join('/')}`),
    await orReason(() => removeVolumes(context), `the volumes in ${namespaces.monitoring}`),
    ...(await orReason(() => removeNodeFolders(context), `${nodeFolders.join(', ')} on the nodes`)),
  ].flat()
  return [
    ...left,
    'the definitions (CRDs) of the Prometheus Operator, which another operator may need: ./lab kubectl get crd',
    'the images on the nodes, which the kubelet deletes when it needs the space',
    ...yours(context.settings),
  ]
}

/** Returns what the user has made for the lab, one line each. */
function yours(settings: Settings): string[] {
  const { cluster, loki } = settings
  return [
    ...(cluster.namespaces === 'existing'
      ? [`the namespaces that you have made, with your Secrets: ${labNamespaces(settings).join(', ')}`]
      : []),
    ...(loki.mode === 'ha' ? [`the events in the bucket ${loki.objectStorage.bucket}`] : []),
  ]
}

/** Returns what `remove` could not remove. A cluster that refuses it keeps all of it. */
async function orReason(remove: () => Promise<string[]>, what: string): Promise<string[]> {
  try {
    return await remove()
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    return [`${what} (${error.found})`]
  }
}

/**
 * Deletes the volume claims of the releases, and with them the volumes. Kubernetes keeps those of a StatefulSet that is
 * deleted; they go with the namespace only where the lab has made that.
 */
async function removeVolumes(access: ClusterAccess): Promise<string[]> {
  const owners = [releases.loki, releases.otelGateway, `${releases.prometheus}-prometheus`]
  const selector = `--selector=app.kubernetes.io/instance in (${owners.join(', ')})`
  // A claim goes after its pod, and Loki has five minutes to store what it holds.
  await kubectl(access, ['delete', 'persistentvolumeclaims', '--namespace', namespaces.monitoring, selector], {
    timeoutMs: 330_000,
  })
  return []
}

const kubeletService = ['kube-system', `${releases.prometheus}-kubelet`] as const

/** The Prometheus Operator creates this Service for the kubelet of each node, and leaves it behind. */
async function removeKubeletService(access: ClusterAccess): Promise<string[]> {
  const [namespace, name] = kubeletService
  const option = `--kubelet-service=${namespace}/${name}`
  const { items } = await kubectlJson<{ items: Deployment[] }>(access, ['get', 'deployments', '--all-namespaces'])
  const other = items.find(({ spec }) => spec.template.spec.containers.some(({ args = [] }) => args.includes(option)))
  if (other) return [`the Service ${namespace}/${name}, which ${nameOf(other)} uses too`]
  await kubectl(access, ['delete', 'service', name, '--namespace', namespace, '--ignore-not-found'])
  return []
}

interface ObjectName {
  metadata: { namespace: string; name: string }
}
interface Deployment extends ObjectName {
  spec: { template: { spec: { containers: { args?: string[] }[] } } }
}
interface PodVolumes extends ObjectName {
  spec: { volumes?: { hostPath?: { path: string } }[] }
}

const nameOf = ({ metadata: { namespace, name } }: ObjectName): string => `${namespace}/${name}`

/** Folders of the agent on a node: its socket, and its programs in the kernel. Any other Tetragon has the same. */
const agentFolders = ['/run/tetragon', '/sys/fs/bpf/tetragon']
const nodeFolders = [exportFile.directory, ...Object.values(shipperStorage), ...agentFolders]

/** Deletes the folders that the lab's pods have left on the nodes, with a short pod on each. */
async function removeNodeFolders(context: Context): Promise<string[]> {
  const [users, nodes] = await Promise.all([
    folderUsers(context),
    kubectlJson<{ items: { metadata: { name: string } }[] }>(context, ['get', 'nodes']),
  ])
  const free = nodeFolders.filter(folder => !users.has(folder))
  const kept = [...users].map(([folder, user]) => `${folder} on the nodes, which ${user} uses too`)
  const names = nodes.items.map(({ metadata }) => metadata.name)
  const pods = names.map((node, index) =>
    cleaningPod(`${podName}-${index}`, node, free, imageRef(context.lock.images.node)),
  )
  const selected = ['pods', '--namespace=default', `--selector=${dockerLabel}=${podName}`]
  const failed = await withCleanUp(context, selected, async () => {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods })
    await kubectl(context, ['create', '-f', '-'], { input: list })
    return waitForPods(context, selected)
  })
  return [...kept, ...failed.map(({ node, phase }) => `${free.join(', ')} on ${node} (its clean-up pod is ${phase})`)]
}

interface CleaningPod {
  spec: { nodeName: string }
  status: { phase: string }
}

/** Waits until pods have ended, and returns those that did not succeed. */
async function waitForPods(
  access: ClusterAccess,
  selected: readonly string[],
): Promise<{ node: string; phase: string }[]> {
  for (const end = Date.now() + cleaningMs; ; await sleep(1000)) {
    const { items } = await kubectlJson<{ items: CleaningPod[] }>(access, ['get', ...selected])
    const open = items.filter(({ status }) => status.phase !== 'Succeeded')
    if (open.every(({ status }) => status.phase === 'Failed') || Date.now() > end)
      return open.map(({ spec, status }) => ({ node: spec.nodeName, phase: status.phase }))
  }
}

/** Returns the folders that another program on the nodes uses, and the name of that program. */
async function folderUsers(access: ClusterAccess): Promise<Map<string, string>> {
  const { items } = await kubectlJson<{ items: PodVolumes[] }>(access, ['get', 'pods', '--all-namespaces'])
  const agents = await kubectlJson<{ items: ObjectName[] }>(access, [
    ...['get', 'daemonsets', '--all-namespaces'],
    ...['-l', 'app.kubernetes.io/name=tetragon'],
  ])
  const users = new Map<string, string>()
  for (const folder of nodeFolders) {
    const agent = agentFolders.includes(folder) ? agents.items[0] : undefined
    const user =
      agent ?? items.find(({ spec }) => spec.volumes?.some(({ hostPath }) => isWithin(hostPath?.path, folder)))
    if (user) users.set(folder, nameOf(user))
  }
  return users
}

const isWithin = (path: string | undefined, folder: string): boolean =>
  path !== undefined && `${path.replace(/^\/var\/run\//, '/run/')}/`.startsWith(`${folder}/`)

const podName = 'lab-clean-up'

/** How long the nodes may take to pull the image and delete the folders. */
const cleaningMs = 180_000

/** Returns a pod that deletes folders on a node. It mounts only the folders that they are in. */
export function cleaningPod(name: string, nodeName: string, folders: readonly string[], image: string) {
  const parents = [...new Set(folders.map(folder => folder.slice(0, folder.lastIndexOf('/'))))]
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { [dockerLabel]: podName } },
    spec: {
      nodeName,
      restartPolicy: 'Never',
      automountServiceAccountToken: false,
      tolerations: [{ operator: 'Exists' }],
      containers: [
        {
          name: 'clean-up',
          image,
          command: ['rm', '-rf', ...folders.map(folder => `/node${folder}`)],
          // Root owns the folders, and the kernel lets only a privileged container unpin a BPF program.
          securityContext: { privileged: true, runAsUser: 0, runAsNonRoot: false },
          volumeMounts: parents.map((parent, index) => ({ name: `parent-${index}`, mountPath: `/node${parent}` })),
        },
      ],
      volumes: parents.map((path, index) => ({ name: `parent-${index}`, hostPath: { path } })),
    },
  }
}
