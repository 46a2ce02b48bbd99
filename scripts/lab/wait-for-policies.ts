import { LabError } from '../../shared/lab-error.ts'
import { readLabPolicy } from '../../shared/policy-file.ts'
import type { ClusterAccess } from '../cluster/kubectl.ts'
import { isSamePolicy, listClusterPolicies } from '../policy/apply.ts'
import {
  type AgentPolicy,
  notLoadedError,
  readAgentPolicies,
  type WaitOptions,
  waitAllLoaded,
} from '../tetragon/agent-policies.ts'

/**
 * Waits until the agent has loaded the policies: the API server accepts ones that no agent can load.
 * @param names Files of `policies/`, as the settings name them.
 * @param options Overrides; `timeoutMs` is 90000 by default.
 * @throws LabError when the agent refuses a policy, with its own message, or has not loaded one in time.
 */
export async function waitForPolicies(
  access: ClusterAccess,
  names: string[],
  options: Partial<WaitOptions> = {},
): Promise<void> {
  const inCluster = await listClusterPolicies(access)
  // A policy that the user has removed stays removed. `lab verify` reports it.
  const keys = names
    .map(name => readLabPolicy(name).metadata)
    .filter(key => inCluster.some(policy => isSamePolicy(policy, key)))
  const { timeoutMs = 90_000 } = options
  const read = (ms: number) => readIfReady(access, ms)
  const { results, seconds } = await waitAllLoaded(keys, { read, ...options, timeoutMs })
  for (const outcome of ['refused', 'waiting']) {
    const at = results.findIndex(result => result.outcome === outcome)
    if (at >= 0) throw notLoadedError(keys[at]!.name, { ...results[at]!, seconds })
  }
}

/** Returns an empty list while the agent is starting and does not answer yet. */
async function readIfReady(access: ClusterAccess, timeoutMs: number): Promise<AgentPolicy[]> {
  try {
    return await readAgentPolicies(access, timeoutMs)
  } catch (error) {
    if (error instanceof LabError) return []
    throw error
  }
}
