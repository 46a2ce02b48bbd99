import { namespaces } from '../../shared/names.ts'
import { type ClusterAccess, kubectlJson } from './kubectl.ts'

// What the lab has in its namespaces, as Kubernetes counts it, and where not all of it is ready, why.

/** A workload: how many of its pods are ready. */
export interface Workload {
  namespace: string
  name: string
  kind: string
  ready: number
  wanted: number
  /** The Helm release that it belongs to, if to one. */
  release?: string
  /** Where not all are ready: what is the matter with the first that is not, if Kubernetes knows. */
  trouble?: Trouble
}

/** What is the matter with a pod. */
export interface Trouble {
  /** In Kubernetes' words: `OOMKilled`, `ImagePullBackOff`, `Unschedulable`, … */
  reason: string
  /** How often it was started again. */
  restarts: number
}

/** What Kubernetes knows any object by. */
export interface Metadata {
  name: string
  namespace: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: { kind: string; name: string }[]
}

interface Controller {
  kind: string
  metadata: Metadata
  spec: { replicas?: number }
  status: { readyReplicas?: number; numberReady?: number; desiredNumberScheduled?: number }
}

interface ContainerStatus {
  ready: boolean
  restartCount: number
  state?: { waiting?: { reason?: string }; terminated?: { reason?: string } }
  lastState?: { terminated?: { reason?: string } }
}

/** A pod, as far as it tells what is the matter with it. */
export interface PodState {
  kind: 'Pod'
  metadata: Metadata
  status: {
    conditions?: { type: string; status: string; reason?: string }[]
    initContainerStatuses?: ContainerStatus[]
    containerStatuses?: ContainerStatus[]
  }
}

/** Deployments, DaemonSets and StatefulSets of the lab's namespaces. */
export async function readWorkloads(access: ClusterAccess): Promise<Workload[]> {
  const lists = await Promise.all(
    Object.values(namespaces).map(namespace =>
      kubectlJson<{ items: (Controller | PodState)[] }>(access, [
        'get',
        'deployments,daemonsets,statefulsets,pods',
        '-n',
        namespace,
      ]),
    ),
  )
  const items = lists.flatMap(list => list.items)
  const pods = items.filter((item): item is PodState => item.kind === 'Pod')
  return items
    .filter((item): item is Controller => item.kind !== 'Pod')
    .map(({ kind, metadata: { name, namespace, annotations }, spec, status }) => {
      const ready = status.readyReplicas ?? status.numberReady ?? 0
      const wanted = spec.replicas ?? status.desiredNumberScheduled ?? 1
      const own = pods.filter(pod => pod.metadata.namespace === namespace && workloadOf(pod) === name)
      const trouble = ready < wanted ? own.map(troubleOf).find(found => found !== undefined) : undefined
      const release = annotations?.['meta.helm.sh/release-name']
      return { namespace, name, kind, ready, wanted, ...(release && { release }), ...(trouble && { trouble }) }
    })
}

/** The workload that made a pod; of one that nobody made, its own name. */
export function workloadOf({ metadata }: { metadata: Omit<Metadata, 'namespace'> }): string {
  const [owner] = metadata.ownerReferences ?? []
  if (!owner) return metadata.name
  const hash = metadata.labels?.['pod-template-hash']
  return owner.kind === 'ReplicaSet' && hash ? owner.name.replace(new RegExp(`-${hash}$`), '') : owner.name
}

/** What is the matter with a pod; undefined for one that is ready or merely on its way. */
export function troubleOf({ status }: PodState): Trouble | undefined {
  const unscheduled = status.conditions?.find(({ type, status }) => type === 'PodScheduled' && status === 'False')
  if (unscheduled) return { reason: unscheduled.reason ?? 'not scheduled', restarts: 0 }
  for (const container of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
    if (container.ready) continue
    const reason = reasonOf(container)
    if (reason) return { reason, restarts: container.restartCount }
  }
  return undefined
}

/** What every container waits for before its first start. */
const onItsWay = ['ContainerCreating', 'PodInitializing']

function reasonOf({ state, lastState }: ContainerStatus): string | undefined {
  const waits = state?.waiting?.reason
  // That it is held back after it ended says less than how it ended.
  if (waits && waits !== 'CrashLoopBackOff' && !onItsWay.includes(waits)) return waits
  return state?.terminated?.reason ?? lastState?.terminated?.reason
}

/** In one line: `OOMKilled, 3 restarts`. */
export const sayTrouble = ({ reason, restarts }: Trouble): string =>
  restarts === 0 ? reason : `${reason}, ${restarts} restart${restarts === 1 ? '' : 's'}`

/** Whether it is killed for want of memory as often as it is started: what it has kept is more than it can read again. */
export const outOfMemory = ({ trouble }: Workload): boolean =>
  trouble !== undefined && trouble.reason === 'OOMKilled' && trouble.restarts >= 2
