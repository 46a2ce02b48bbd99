import { LabError } from '../../shared/lab-error.ts'
import { readPolicy } from '../../shared/policy-file.ts'
import { clusterPolicies, sameKey } from '../policy/apply.ts'
import { type AgentPolicy, askAgents, notLoaded, type Waiting, waitAllLoaded } from '../tetragon/agent-policies.ts'

/**
 * Waits until the agent has loaded those of the policies that are in the cluster: that the API server took one says nothing.
 * @param names Files of `policies/`, as the settings name them.
 * @param waiting At most 90 seconds unless it says otherwise.
 * @throws LabError when the agent refuses one, with its own words, or has not loaded one in time.
 */
export async function firstPolicies(names: string[], waiting: Waiting = {}): Promise<void> {
  const there = await clusterPolicies()
  // One that was taken out by hand stays out: `lab verify` tells of it.
  const keys = names.map(name => readPolicy(name).metadata).filter(key => there.some(object => sameKey(object, key)))
  const { limit = 90_000 } = waiting
  const loadings = await waitAllLoaded(keys, { ask: whoeverAnswers, ...waiting, limit })
  const worst = ['refused', 'waiting'].map(outcome => loadings.findIndex(loading => loading.outcome === outcome))
  const failed = worst.find(index => index >= 0)
  if (failed !== undefined) throw notLoaded(keys[failed]!.name, loadings[failed], Math.round(limit / 1000))
}

/** An agent that has just started does not answer yet. */
async function whoeverAnswers(): Promise<AgentPolicy[]> {
  try {
    return await askAgents()
  } catch (error) {
    if (error instanceof LabError) return []
    throw error
  }
}
