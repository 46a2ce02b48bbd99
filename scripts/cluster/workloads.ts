import { namespaces } from '../../shared/names.ts'
import { type ClusterAccess, kubectlJson } from './kubectl.ts'

/** A Deployment, DaemonSet or StatefulSet, and how many of its pods are ready. */
export interface Workload {
  namespace: string
  name: string
  kind: string
  ready: number
  wanted: number
  /** The Helm release that it belongs to. */
  release?: string
  /** Why the first unready pod is not ready, where Kubernetes gives a reason. */
  trouble?: PodTrouble
  /** One of its pods runs out of memory at every start, because it cannot read back the data that it has stored. */
  keepsRunningOutOfMemory?: true
}

/** Why a pod is not ready. */
export interface PodTrouble {
  /** As Kubernetes names it: `OOMKilled`, `ImagePullBackOff`, `Unschedulable`, … */
  reason: string
  restarts: number
  /** What Kubernetes adds, in one line. */
  message?: string
}

/**
 * Returns whether all pods of a workload are ready. A DaemonSet that wants none has only just been created: the cluster
 * has not counted its nodes yet.
 */
export const isReady = ({ ready, wanted }: Pick<Workload, 'ready' | 'wanted'>): boolean => wanted > 0 && ready >= wanted

export interface ObjectMetadata {
  name: string
  namespace: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  creationTimestamp?: string
  ownerReferences?: { kind: string; name: string }[]
}

interface Controller {
  kind: string
  metadata: ObjectMetadata
  spec: { replicas?: number }
  status: { readyReplicas?: number; numberReady?: number; desiredNumberScheduled?: number }
}

interface ContainerStatus {
  ready: boolean
  restartCount: number
  state?: { waiting?: { reason?: string; message?: string }; terminated?: Termination }
  lastState?: { terminated?: Termination }
}

interface Termination {
  reason?: string
  startedAt?: string
  finishedAt?: string
}

/** The fields of a pod that explain why it is not ready. */
export interface PodState {
  kind: 'Pod'
  metadata: ObjectMetadata
  status: {
    conditions?: { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }[]
    initContainerStatuses?: ContainerStatus[]
    containerStatuses?: ContainerStatus[]
  }
}

/** Reads the workloads in the lab's namespaces. */
export const readWorkloads = async (access: ClusterAccess): Promise<Workload[]> =>
  (await readWorkloadsAndPods(access)).workloads

/** Reads the workloads in the lab's namespaces, and all pods there. */
export async function readWorkloadsAndPods(
  access: ClusterAccess,
): Promise<{ workloads: Workload[]; pods: PodState[] }> {
  const kinds = 'deployments,daemonsets,statefulsets,pods'
  const inLab = Object.values(namespaces)
  // One kubectl instead of two, where there is little else in the cluster.
  const scopes =
    access.settings.cluster.mode === 'create' ? [['--all-namespaces']] : inLab.map(namespace => ['-n', namespace])
  const lists = await Promise.all(
    scopes.map(scope => kubectlJson<{ items: (Controller | PodState)[] }>(access, ['get', kinds, ...scope])),
  )
  const items = lists
    .flatMap(list => list.items)
    .filter(({ metadata }) => inLab.some(name => name === metadata.namespace))
  const pods = items.filter(item => item.kind === 'Pod') as PodState[]
  const controllers = items.filter((item): item is Controller => item.kind !== 'Pod')
  return { workloads: controllers.map(controller => toWorkload(controller, pods)), pods }
}

function toWorkload({ kind, metadata, spec, status }: Controller, pods: readonly PodState[]): Workload {
  const { name, namespace, annotations } = metadata
  const ready = status.readyReplicas ?? status.numberReady ?? 0
  const wanted = spec.replicas ?? status.desiredNumberScheduled ?? 1
  const ownPods = podsOf({ namespace, name }, pods)
  const trouble = ready < wanted ? ownPods.map(findTrouble).find(found => found !== undefined) : undefined
  const release = annotations?.['meta.helm.sh/release-name']
  return {
    namespace,
    name,
    kind,
    ready,
    wanted,
    ...(release && { release }),
    ...(trouble && { trouble }),
    ...(ownPods.some(pod => keepsRunningOutOfMemory(pod)) && { keepsRunningOutOfMemory: true }),
  }
}

/** Returns the pods of a workload. */
export const podsOf = (
  { namespace, name }: Pick<Workload, 'namespace' | 'name'>,
  pods: readonly PodState[],
): PodState[] => pods.filter(pod => pod.metadata.namespace === namespace && workloadOf(pod) === name)

/** Returns the name of the workload that owns a pod, or the pod's own name. */
export function workloadOf({ metadata }: { metadata: Omit<ObjectMetadata, 'namespace'> }): string {
  const [owner] = metadata.ownerReferences ?? []
  if (!owner) return metadata.name
  const hash = metadata.labels?.['pod-template-hash']
  return owner.kind === 'ReplicaSet' && hash ? owner.name.replace(new RegExp(`-${hash}$`), '') : owner.name
}

/** Returns why a pod is not ready; undefined for a pod that is ready or still starting. */
export function findTrouble({ status }: PodState): PodTrouble | undefined {
  const unscheduled = status.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  if (unscheduled) return trouble(unscheduled.reason ?? 'not scheduled', 0, unscheduled.message)
  for (const container of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
    if (container.ready) continue
    const found = troubleOf(container)
    if (found) return found
  }
  return undefined
}

/** Reasons for which every container waits before its first start. */
const startingReasons = ['ContainerCreating', 'PodInitializing']

function troubleOf({ state, lastState, restartCount }: ContainerStatus): PodTrouble | undefined {
  const { reason, message } = state?.waiting ?? {}
  // CrashLoopBackOff says less than the reason for which the container ended.
  if (reason && reason !== 'CrashLoopBackOff' && !startingReasons.includes(reason))
    return trouble(reason, restartCount, message)
  const ended = state?.terminated?.reason ?? lastState?.terminated?.reason
  return ended ? trouble(ended, restartCount) : undefined
}

const trouble = (reason: string, restarts: number, message?: string): PodTrouble => ({
  reason,
  restarts,
  ...(message && { message: message.replaceAll(/\s+/g, ' ').trim() }),
})

/** Formats trouble as `OOMKilled, 3 restarts`. */
export const describeTrouble = ({ reason, restarts }: PodTrouble): string =>
  restarts === 0 ? reason : `${reason}, ${restarts} restart${restarts === 1 ? '' : 's'}`

/** A container that runs for longer has read back its data. */
const readBackMs = 5 * 60_000

/**
 * Returns whether a container of a pod was last killed for lack of memory, after two restarts or more. Between two kills
 * it may be ready; then the last run must have been short, and not long ago.
 */
export const keepsRunningOutOfMemory = ({ status }: PodState, now = Date.now()): boolean =>
  (status.containerStatuses ?? []).some(({ ready, state, lastState, restartCount }) => {
    const { reason, startedAt = '', finishedAt = '' } = state?.terminated ?? lastState?.terminated ?? {}
    const killedAt = Date.parse(finishedAt)
    const wasShort = now - killedAt < readBackMs && killedAt - Date.parse(startedAt) < readBackMs
    return restartCount >= 2 && reason === 'OOMKilled' && (!ready || wasShort)
  })
