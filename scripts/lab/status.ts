import { existsSync } from 'node:fs'
import { whereToLook } from '../../shared/addresses.ts'
import { LabError } from '../../shared/lab-error.ts'
import { labPath } from '../../shared/paths.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { nodeState } from '../cluster/kind.ts'
import { readWorkloads, type Workload } from '../cluster/workloads.ts'
import { loadContext } from '../context/context.ts'
import { kernelDecision } from '../kernel/decision.ts'
import { runningSource } from '../tetragon/tetra.ts'

/** How the lab is. */
export interface Status {
  /** `up`: all pods ready. `starting`: some are not. `stopped`: the node is there, but does not run. `down`: there is no lab. */
  state: 'up' | 'starting' | 'stopped' | 'down'
  source?: { runs: 'live' | 'replay' | 'none'; set: string; why: string }
  workloads: Workload[]
  addresses: Record<string, string>
}

/** Looks at the lab as it is now. @throws LabError when its cluster is there, and nothing that leads to it. */
export async function readStatus(): Promise<Status> {
  const { settings } = await loadContext()
  const addresses = whereToLook(settings)
  if (settings.cluster.mode === 'create') {
    const { name } = settings.cluster
    const node = await nodeState(name)
    if (node !== 'running') return { state: node ? 'stopped' : 'down', workloads: [], addresses }
    if (!existsSync(labPath('kubeconfig')))
      throw new LabError({
        found: `the cluster ${name} runs, but .lab/kubeconfig, which leads to it, is not there`,
        expected: 'an up that has come so far, and a .lab that nobody has deleted',
        next: './lab up, which mends it, or ./lab down',
      })
  }
  const [workloads, source] = await Promise.all([readWorkloads(), readSource(settings)])
  // The node is no sign of a lab where it is not the lab's.
  if (settings.cluster.mode === 'existing' && workloads.length === 0) return { state: 'down', workloads, addresses }
  const ready = workloads.length > 0 && workloads.every(workload => workload.ready >= workload.wanted)
  return { state: ready ? 'up' : 'starting', source, workloads, addresses }
}

async function readSource(settings: Settings): Promise<Status['source']> {
  const [runs, decision] = await Promise.all([
    runningSource(),
    kernelDecision({ cluster: settings.cluster, pull: false }),
  ])
  const set = settings.tetragon.source
  return { runs, set, why: set === 'auto' ? decision.why : `tetragon.source is set to ${set}` }
}
