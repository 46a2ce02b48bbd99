import { LabError } from '../../shared/lab-error.ts'
import { namespaces } from '../../shared/names.ts'
import { type ClusterAccess, kubectlJson } from './kubectl.ts'
import {
  describeTrouble,
  findTrouble,
  isReady,
  type PodState,
  podsOf,
  readWorkloadsAndPods,
  type Workload,
} from './workloads.ts'

/** A workload that is not ready, and why. */
export interface StuckWorkload {
  namespace: string
  name: string
  /** Its first pod that is not ready; absent where it has none. */
  pod?: string
  /** As in `ImagePullBackOff: Back-off pulling image …`; absent where Kubernetes reports no problem. */
  why?: string
}

/** A warning of Kubernetes about an object. */
interface Warning {
  involvedObject: { name: string; namespace: string }
  reason: string
  message: string
  lastTimestamp?: string | null
  eventTime?: string | null
}

/**
 * Returns the workloads of the lab that are not ready, those with a known reason first. The reason is the pod's own, as
 * for a failed image pull or a full node, else the newest warning, as for a failing probe or a rejected pod.
 * @throws LabError when the cluster does not respond.
 */
export async function findStuckWorkloads(access: ClusterAccess): Promise<StuckWorkload[]> {
  const { workloads, pods } = await readWorkloadsAndPods(access)
  const unready = workloads.filter(workload => !isReady(workload))
  if (unready.length === 0) return []
  const warnings = (await Promise.all(Object.values(namespaces).map(name => readWarnings(access, name)))).flat()
  const stuck = unready.map(workload => explain(workload, podsOf(workload, pods), warnings))
  return [...stuck.filter(({ why }) => why), ...stuck.filter(({ why }) => !why)]
}

/** Returns the warnings in a namespace, the newest first. */
async function readWarnings(access: ClusterAccess, namespace: string): Promise<Warning[]> {
  const { items } = await kubectlJson<{ items: Warning[] }>(access, [
    ...['get', 'events', '-n', namespace, '--field-selector=type=Warning'],
  ])
  const time = ({ lastTimestamp, eventTime }: Warning): number => Date.parse(lastTimestamp ?? eventTime ?? '') || 0
  return items.toSorted((one, other) => time(other) - time(one))
}

function explain(
  { namespace, name }: Workload,
  pods: readonly PodState[],
  warnings: readonly Warning[],
): StuckWorkload {
  const stuck = pods.filter(pod => !isPodReady(pod))
  const pod = stuck.find(pod => findTrouble(pod) !== undefined) ?? stuck[0]
  const trouble = pod && findTrouble(pod)
  // Without a pod, the warning is about the workload or its ReplicaSet, which has a suffix.
  const names = pod ? [pod.metadata.name] : [name]
  const warning = warnings.find(
    ({ involvedObject }) =>
      involvedObject.namespace === namespace &&
      names.some(each => involvedObject.name === each || (!pod && involvedObject.name.startsWith(`${each}-`))),
  )
  const why = trouble
    ? [describeTrouble(trouble), trouble.message ?? warning?.message]
    : warning && [warning.reason, warning.message]
  return {
    namespace,
    name,
    ...(pod && { pod: pod.metadata.name }),
    ...(why && { why: oneLine(why.filter(Boolean).join(': ')) }),
  }
}

const isPodReady = ({ status }: PodState): boolean =>
  status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, 300)

/**
 * Returns the error for workloads that did not become ready.
 * @param failed what failed or was waited for, as a clause; the reason follows it.
 */
export function stuckError([first, ...others]: readonly [StuckWorkload, ...StuckWorkload[]], failed: string): LabError {
  const { namespace, name, pod, why } = first
  const more = others.length > 0 ? `. Also not ready: ${others.map(other => other.name).join(', ')}` : ''
  return new LabError({
    found: `${failed}: ${name} is not ready${why ? ` (${why})` : ''}${more}`,
    next: `./lab kubectl -n ${namespace} describe ${pod ? `pod ${pod}` : 'pods'}. Then ./lab up, which repairs what it can`,
  })
}
