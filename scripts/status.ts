import { namespaces } from '../stacks/names.ts'
import { addressesOf } from '../stacks/outputs.ts'
import type { Settings } from '../stacks/settings.ts'
import { nodeState } from './cluster/kind.ts'
import { loadContext } from './context.ts'
import { kernelDecision } from './doctor/kernel.ts'
import { kubectlJson } from './kube.ts'
import { runningSource } from './tetra.ts'

/** A workload: how many of its pods are ready. */
export interface Workload {
  namespace: string
  name: string
  kind: string
  ready: number
  wanted: number
  /** The Helm release that it belongs to, if to one. */
  release?: string
}

/** How the lab is. */
export interface Status {
  /** `up`: all pods ready. `starting`: some are not. `stopped`: the node is there, but does not run. `down`: there is no lab. */
  state: 'up' | 'starting' | 'stopped' | 'down'
  source?: { runs: 'live' | 'replay' | 'none'; set: string; why: string }
  workloads: Workload[]
  addresses: Record<string, string>
}

interface Controller {
  kind: string
  metadata: { name: string; namespace: string; annotations?: Record<string, string> }
  spec: { replicas?: number }
  status: { readyReplicas?: number; numberReady?: number; desiredNumberScheduled?: number }
}

/** Looks at the lab as it is now. */
export async function readStatus(): Promise<Status> {
  const { settings } = await loadContext()
  const addresses = addressesOf(settings)
  if (settings.cluster.mode === 'create') {
    const node = await nodeState(settings.cluster.name)
    if (node !== 'running') return { state: node ? 'stopped' : 'down', workloads: [], addresses }
  }
  const [workloads, source] = await Promise.all([readWorkloads(), readSource(settings)])
  const ready = workloads.length > 0 && workloads.every(workload => workload.ready >= workload.wanted)
  return { state: ready ? 'up' : 'starting', source, workloads, addresses }
}

/** Deployments, DaemonSets and StatefulSets of the lab's namespaces. */
export async function readWorkloads(): Promise<Workload[]> {
  const lists = await Promise.all(
    Object.values(namespaces).map(namespace =>
      kubectlJson<{ items: Controller[] }>(['get', 'deployments,daemonsets,statefulsets', '-n', namespace]),
    ),
  )
  return lists
    .flatMap(list => list.items)
    .map(({ kind, metadata, spec, status }) => ({
      namespace: metadata.namespace,
      name: metadata.name,
      kind,
      ready: status.readyReplicas ?? status.numberReady ?? 0,
      wanted: spec.replicas ?? status.desiredNumberScheduled ?? 1,
      release: metadata.annotations?.['meta.helm.sh/release-name'],
    }))
}

async function readSource(settings: Settings): Promise<Status['source']> {
  const [runs, decision] = await Promise.all([runningSource(), kernelDecision()])
  const set = settings.tetragon.source
  return { runs, set, why: set === 'auto' ? decision.why : `tetragon.source is set to ${set}` }
}
