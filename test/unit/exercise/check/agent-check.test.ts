import { describe, expect, it } from 'vitest'
import { checkIn } from '../../../fakes/checks.ts'
import { recordedAgentPolicies } from '../../../fakes/recorded-policies.ts'

describe('agent', () => {
  it('checks state, mode and counters in the list of a real agent', async () => {
    const agent = recordedAgentPolicies('tracingpolicies-enforced.json')
    expect(
      await checkIn({ agent: { policy: 'block-service-account-token', mode: 'enforce' } }, { agent }),
    ).toMatchObject({
      passed: true,
      found: 'block-service-account-token enabled, mode enforce',
    })
    expect(await checkIn({ agent: { policy: 'sys-openat', mode: 'enforce' } }, { agent })).toMatchObject({
      passed: false,
      found: 'sys-openat enabled, mode monitor_only',
    })
    expect(await checkIn({ agent: { policy: 'sys-openat', counters: { post: '>= 200' } } }, { agent })).toMatchObject({
      passed: true,
    })
    expect(await checkIn({ agent: { policy: 'sys-openat', counters: { signal: '>= 1' } } }, { agent })).toMatchObject({
      passed: false,
      found: /signal 0/,
    })
    const kubectl = () => ({
      stdout:
        '{"items":[{"apiVersion":"cilium.io/v1alpha1","kind":"TracingPolicy","metadata":{"name":"mine"},"spec":{}}]}',
    })
    expect(await checkIn({ agent: { policy: 'mine' } }, { agent, kubectl })).toMatchObject({
      passed: false,
      found: expect.stringMatching(/^the agent has/),
    })
  })
})
