import { accessByService } from '../../shared/addresses.ts'
import { LabError } from '../../shared/lab-error.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { nodeState } from '../cluster/node-container.ts'
import { isReady, readWorkloads, type Workload } from '../cluster/workloads.ts'
import { type Context, loadContext, mayBeRunning } from '../context/context.ts'
import { kernelDecision } from '../kernel/decision.ts'
import { eventSourceReason } from '../kernel/event-source.ts'
import { runningSource } from '../tetragon/running-source.ts'

/** The state of the lab. */
export interface Status {
  /** `up`: every pod is ready. `starting`: some are not. `stopped`: the node does not run. `down`: there is no lab. */
  state: 'up' | 'starting' | 'stopped' | 'down'
  source?: { runs: 'live' | 'replay' | 'none'; set: string; why: string }
  workloads: Workload[]
  addresses: Record<string, string>
}

/**
 * Returns the current state of the lab.
 * @throws LabError when its cluster runs, but `.lab` has no kubeconfig for it.
 */
export async function readStatus({
  settings = readSettings(),
  load = () => loadContext(['kubectl']),
}: {
  settings?: Settings
  load?: () => Promise<Context>
} = {}): Promise<Status> {
  const { cluster } = settings
  const addresses = accessByService(settings)
  if (cluster.mode === 'existing' && !(await mayBeRunning(cluster))) return { state: 'down', workloads: [], addresses }
  if (cluster.mode === 'create') {
    const node = await nodeState(cluster.name)
    if (node !== 'running') return { state: node ? 'stopped' : 'down', workloads: [], addresses }
    if (!(await mayBeRunning(cluster)))
      throw new LabError({
        found: `The cluster ${cluster.name} is running, but its kubeconfig, .lab/kubeconfig, is missing or damaged`,
        next: './lab up, which writes it again, or ./lab down',
      })
  }
  const context = await load()
  const [workloads, source] = await Promise.all([readWorkloads(context), readSource(context)])
  // A cluster of the user's own runs without a lab too.
  if (cluster.mode === 'existing' && workloads.length === 0) return { state: 'down', workloads, addresses }
  const ready = workloads.length > 0 && workloads.every(isReady)
  return { state: ready ? 'up' : 'starting', source, workloads, addresses }
}

async function readSource(context: Context): Promise<Status['source']> {
  const { settings, env } = context
  const [runs, decision] = await Promise.all([
    runningSource(context),
    kernelDecision({ cluster: settings.cluster, pull: false, env }),
  ])
  return { runs, set: settings.tetragon.source, why: eventSourceReason(settings, decision) }
}
