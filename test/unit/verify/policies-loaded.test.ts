import { expect, it } from 'vitest'
import type { AgentPolicy } from '../../../scripts/tetragon/agent-policies.ts'
import { judgePolicies } from '../../../scripts/verify/policies-loaded.ts'
import { readLabPolicy } from '../../../shared/policy-file.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { recordedAgentPolicies } from '../../fakes/recorded-policies.ts'

const configured = parseSettings({}).policies.apply.map(name => readLabPolicy(name).metadata)
const verified = (agents: AgentPolicy[], objects = configured, source: 'live' | 'replay' = 'live') =>
  judgePolicies(configured, { source, objects, agents }).map(
    ({ title, result, found }) => `${title} ${result}: ${found}`,
  )

it('fails for a policy that is in the cluster, but not loaded yet', () => {
  expect(verified(recordedAgentPolicies('tracingpolicies.json'))).toEqual([
    'sensitive-file-access ok: loaded, monitor_only, 22 events',
    'unexpected-process-exec fail: not loaded yet',
    'tcp-connect fail: not loaded yet',
    'sys-openat fail: not loaded yet',
  ])
})

it('fails for a configured policy that is not in the cluster, and for no other', () => {
  const list = recordedAgentPolicies('tracingpolicies-enforced.json')
  expect(verified(list).filter(line => !line.includes(' ok: loaded, monitor_only, '))).toEqual([])
  const without = configured.filter(({ name }) => name !== 'tcp-connect')
  expect(verified(list, without)).toContain('tcp-connect fail: not in the cluster')
})

it('fails for a policy that the agent refused, even one that the settings do not name', () => {
  const list = recordedAgentPolicies('tracingpolicies-enforced.json').map(policy =>
    policy.name === 'deny-shadow' ? { ...policy, state: 'load_error' as const, error: 'no fmod_ret' } : policy,
  )
  const deny = { name: 'deny-shadow', namespace: 'application' }
  expect(verified(list, [...configured, deny])).toContain('deny-shadow fail: the agent refused it: no fmod_ret')
})

it('passes for a policy in the cluster when the lab replays a recording', () => {
  expect(verified([], configured, 'replay')).toContain('tcp-connect ok: in the cluster; no agent is running to load it')
})
