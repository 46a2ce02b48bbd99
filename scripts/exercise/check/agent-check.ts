import type { AgentPolicy } from '../../tetragon/agent-policies.ts'
import type { AgentCheck } from '../definition/check-schema.ts'
import { describeCondition, meets } from '../definition/condition.ts'
import { type CheckContext, type CheckResult, fail, passIf, untried } from './check-context.ts'
import { policiesInCluster } from './policy-search.ts'

/** Checks what the agent reports about a policy. */
export async function checkAgent(check: AgentCheck, context: CheckContext): Promise<CheckResult> {
  const loaded = await context.lab.agentPolicies()
  const found = loaded.find(({ name }) => meets(check.policy, name))
  if (found) return passIf(matches(check, found), describeLoaded(check, found), describeWanted(check))
  const { candidates } = await policiesInCluster(context)
  if (!candidates.some(({ policy: { name } }) => meets(check.policy, name ?? '')))
    return untried(`no TracingPolicy ${describeCondition(check.policy)} in the cluster`, describeWanted(check))
  return fail(`the agent has ${loaded.map(({ name }) => name).join(', ') || 'no policies'}`, describeWanted(check))
}

/** Counters that are zero are absent. */
const counter = ({ actionCounters }: AgentPolicy, name: string): number => actionCounters[name] ?? 0

const matches = ({ state, mode, error, counters }: AgentCheck, found: AgentPolicy): boolean =>
  found.state === state &&
  (mode === undefined || found.mode === mode) &&
  (error === undefined || meets(error, found.error ?? '')) &&
  Object.entries(counters).every(([name, condition]) => meets(condition, counter(found, name)))

function describeWanted({ policy, state, mode, counters }: AgentCheck): string {
  const parts = [
    `policy ${describeCondition(policy)} ${state}`,
    mode ? `in mode ${mode}` : '',
    ...Object.entries(counters).map(([name, condition]) => `${name} ${describeCondition(condition)}`),
  ]
  return parts.filter(Boolean).join(', ')
}

function describeLoaded({ counters }: AgentCheck, found: AgentPolicy): string {
  const parts = [
    `${found.name} ${found.state}`,
    found.mode === 'unknown' ? '' : `mode ${found.mode}`,
    ...Object.keys(counters).map(name => `${name} ${counter(found, name)}`),
    found.error ?? '',
  ]
  return parts.filter(Boolean).join(', ')
}
