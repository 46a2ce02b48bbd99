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
}

/** Why a pod is not ready. */
export interface PodTrouble {
  /** As Kubernetes names it: `OOMKilled`, `ImagePullBackOff`, `Unschedulable`, … */
  reason: string
  restarts: number
}

export interface ObjectMetadata {
  name: string
  namespace: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
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
  state?: { waiting?: { reason?: string }; terminated?: { reason?: string } }
  lastState?: { terminated?: { reason?: string } }
}

/** The fields of a pod that explain why it is not ready. */
export interface PodState {
  kind: 'Pod'
  metadata: ObjectMetadata
  status: {
    conditions?: { type: string; status: string; reason?: string }[]
    initContainerStatuses?: ContainerStatus[]
    containerStatuses?: ContainerStatus[]
  }
}

/** Reads the workloads in the lab's namespaces. */
export async function readWorkloads(access: ClusterAccess): Promise<Workload[]> {
  const kinds = 'deployments,daemonsets,statefulsets,pods'
  const lists = await Promise.all(
    Object.values(namespaces).map(namespace =>
      kubectlJson<{ items: (Controller | PodState)[] }>(access, ['get', kinds, '-n', namespace]),
    ),
  )
  const items = lists.flatMap(list => list.items)
  const pods = items.filter(item => item.kind === 'Pod') as PodState[]
  return items.filter((item): item is Controller => item.kind !== 'Pod').map(controller => toWorkload(controller, pods))
}

function toWorkload({ kind, metadata, spec, status }: Controller, pods: readonly PodState[]): Workload {
  const { name, namespace, annotations } = metadata
  const ready = status.readyReplicas ?? status.numberReady ?? 0
  const wanted = spec.replicas ?? status.desiredNumberScheduled ?? 1
  const ownPods = pods.filter(pod => pod.metadata.namespace === namespace && workloadOf(pod) === name)
  const trouble = ready < wanted ? ownPods.map(findTrouble).find(found => found !== undefined) : undefined
  const release = annotations?.['meta.helm.sh/release-name']
  return { namespace, name, kind, ready, wanted, ...(release && { release }), ...(trouble && { trouble }) }
}

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
  if (unscheduled) return { reason: unscheduled.reason ?? 'not scheduled', restarts: 0 }
  for (const container of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
    if (container.ready) continue
    const reason = reasonOf(container)
    if (reason) return { reason, restarts: container.restartCount }
  }
  return undefined
}

/** Reasons for which every container waits before its first start. */
const startingReasons = ['ContainerCreating', 'PodInitializing']

function reasonOf({ state, lastState }: ContainerStatus): string | undefined {
  const waiting = state?.waiting?.reason
  // CrashLoopBackOff says less than the reason for which the container ended.
  if (waiting && waiting !== 'CrashLoopBackOff' && !startingReasons.includes(waiting)) return waiting
  return state?.terminated?.reason ?? lastState?.terminated?.reason
}

/** Formats trouble as `OOMKilled, 3 restarts`. */
export const describeTrouble = ({ reason, restarts }: PodTrouble): string =>
  restarts === 0 ? reason : `${reason}, ${restarts} restart${restarts === 1 ? '' : 's'}`

/**
 * Returns whether a workload runs out of memory at every start, because it cannot read back the data that it has
 * stored.
 */
export const keepsRunningOutOfMemory = ({ trouble }: Workload): boolean =>
  trouble !== undefined && trouble.reason === 'OOMKilled' && trouble.restarts >= 2
