import { readLabPolicy } from '../../shared/policy-file.ts'
import type { Context } from '../context/context.ts'
import { isSamePolicy } from '../policy/apply.ts'
import { type ClusterState, type PolicyState, readClusterState, stateOf } from '../policy/policy-state.ts'
import type { PolicyKey } from '../tetragon/agent-policies.ts'
import { checksOf, type VerifyCheck, withProof } from './verify-check.ts'

const { ok, fail } = checksOf('policies')

/**
 * Checks that the policies of the settings are in the cluster, and that the agents have loaded every policy that is.
 */
export async function verifyPolicies(context: Context): Promise<VerifyCheck[]> {
  const configured = context.settings.policies.apply.map(name => readLabPolicy(name).metadata)
  return judgePolicies(configured, await readClusterState(context))
}

/** @param configured the policies that must be in the cluster. */
export function judgePolicies(configured: PolicyKey[], cluster: ClusterState): VerifyCheck[] {
  const others = cluster.objects.filter(policy => !configured.some(key => isSamePolicy(key, policy)))
  return [...configured, ...others].map(key => {
    const state = stateOf(key, cluster)
    return state.state === 'absent' ? judgeState(state) : withProof(`./lab policy check ${key.name}`, judgeState(state))
  })
}

function judgeState({ name, state, error, mode, counts }: PolicyState): VerifyCheck {
  switch (state) {
    case 'loaded':
      return ok(name, `loaded, ${mode}, ${counts?.events} events`)
    case 'accepted':
      return ok(name, 'in the cluster; no agent is running to load it')
    case 'absent':
      return fail(name, { found: 'not in the cluster', next: `./lab policy apply ${name}` })
    case 'refused':
      return fail(name, { found: `the agent refused it: ${error}`, next: `./lab policy remove ${name}` })
    case 'loading':
      return fail(name, { found: 'not loaded yet', expected: 'loaded by every agent', next: './lab logs tetragon' })
  }
}
