import {
  type AgentPolicy,
  askAgents,
  type Counts,
  judgeLoading,
  ofPolicy,
  type PolicyKey,
  sumCounts,
} from '../tetragon/agent-policies.ts'
import { runningSource } from '../tetragon/tetra.ts'
import { clusterPolicies, sameKey } from './apply.ts'

/** How a policy is, in the cluster and with the agents. */
export interface PolicyState extends PolicyKey {
  /**
   * `loaded` by every agent; `refused` by one; `loading`; `accepted` by the API server where no agent runs; `absent` from the cluster.
   */
  state: 'loaded' | 'refused' | 'loading' | 'accepted' | 'absent'
  /** The agent's own words, with `refused`. */
  error?: string
  mode?: AgentPolicy['mode']
  /** Sums over all agents. */
  counts?: Counts
  /** Memory of its maps in the kernel, summed over all agents. */
  kernelBytes?: number
}

/** What the cluster and its agents hold. */
export interface ClusterState {
  source: 'live' | 'replay' | 'none'
  objects: PolicyKey[]
  agents: AgentPolicy[]
}

/** Asks the cluster, and every agent in it. @throws LabError when no lab is running. */
export async function readClusterState(): Promise<ClusterState> {
  const source = await runningSource()
  const [objects, agents] = await Promise.all([clusterPolicies(), source === 'live' ? askAgents() : []])
  return { source, objects, agents }
}

/** How one policy is. */
export function stateOf({ name, namespace }: PolicyKey, { source, objects, agents }: ClusterState): PolicyState {
  const key: PolicyKey = { name, ...(namespace && { namespace }) }
  const there = objects.some(object => sameKey(object, key))
  const { outcome, error } = judgeLoading(agents, key)
  const own = ofPolicy(agents, key)
  const state = !there ? 'absent' : source !== 'live' ? 'accepted' : outcome === 'waiting' ? 'loading' : outcome
  return {
    ...key,
    state,
    ...(error && { error }),
    ...(own[0] && {
      mode: own[0].mode,
      counts: sumCounts(own),
      kernelBytes: own.reduce((sum, { kernelBytes }) => sum + kernelBytes, 0),
    }),
  }
}
