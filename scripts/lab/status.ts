import { existsSync } from 'node:fs'
import { accessByService } from '../../shared/addresses.ts'
import { LabError } from '../../shared/lab-error.ts'
import { labPath } from '../../shared/paths.ts'
import { nodeState } from '../cluster/node-container.ts'
import { readWorkloads, type Workload } from '../cluster/workloads.ts'
import { type Context, loadContext } from '../context/context.ts'
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
export async function readStatus({ load = loadContext } = {}): Promise<Status> {
  const context = await load()
  const { cluster } = context.settings
  const addresses = accessByService(context.settings)
  if (cluster.mode === 'create') {
    const node = await nodeState(cluster.name)
    if (node !== 'running') return { state: node ? 'stopped' : 'down', workloads: [], addresses }
    if (!existsSync(labPath('kubeconfig')))
      throw new LabError({
        found: `The cluster ${cluster.name} is running, but its kubeconfig, .lab/kubeconfig, does not exist`,
        next: './lab up, which writes it again, or ./lab down',
      })
  }
  const [workloads, source] = await Promise.all([readWorkloads(context), readSource(context)])
  // A cluster of the user's own runs without a lab too.
  if (cluster.mode === 'existing' && workloads.length === 0) return { state: 'down', workloads, addresses }
  const ready = workloads.length > 0 && workloads.every(workload => workload.ready >= workload.wanted)
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
