import type { ClusterAccess } from '../cluster/kubectl.ts'
import {
  type AgentPolicy,
  type Counts,
  entriesOfPolicy,
  judgeLoading,
  type PolicyKey,
  readAgentPolicies,
  sumCounts,
} from '../tetragon/agent-policies.ts'
import { runningSource } from '../tetragon/running-source.ts'
import { isSamePolicy, listClusterPolicies } from './apply.ts'

/** The state of a policy in the cluster and in the agents. */
export interface PolicyState extends PolicyKey {
  /**
   * `loaded`: by every agent. `refused`: by at least one. `loading`: otherwise. `accepted`: by the API server, where no
   * agent runs. `absent`: the cluster does not have it.
   */
  state: 'loaded' | 'refused' | 'loading' | 'accepted' | 'absent'
  /** The agent's own message when it refused the policy. */
  error?: string
  mode?: AgentPolicy['mode']
  /** Summed over all agents. */
  counts?: Counts
  /** Kernel memory of its maps, summed over all agents. */
  kernelBytes?: number
}

/** The policies in the cluster and in its agents. */
export interface ClusterState {
  source: 'live' | 'replay' | 'none'
  objects: PolicyKey[]
  agents: AgentPolicy[]
}

/** Reads the policies from the cluster and from every agent. @throws LabError when no lab is running. */
export async function readClusterState(access: ClusterAccess): Promise<ClusterState> {
  const source = await runningSource(access)
  const [objects, agents] = await Promise.all([
    listClusterPolicies(access),
    source === 'live' ? readAgentPolicies(access) : [],
  ])
  return { source, objects, agents }
}

/** Returns the state of one policy. */
export function stateOf({ name, namespace }: PolicyKey, { source, objects, agents }: ClusterState): PolicyState {
  const key: PolicyKey = { name, ...(namespace && { namespace }) }
  const isInCluster = objects.some(object => isSamePolicy(object, key))
  const { outcome, error } = judgeLoading(agents, key)
  const own = entriesOfPolicy(agents, key)
  const state = !isInCluster ? 'absent' : source !== 'live' ? 'accepted' : outcome === 'waiting' ? 'loading' : outcome
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
