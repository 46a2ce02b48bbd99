import { describe, expect, it } from 'vitest'
import {
  type AgentPolicy,
  entriesOfPolicy,
  judgeLoading,
  parsePolicyList,
  sumCounts,
  waitAllLoaded,
  waitLoaded,
  waitUnloaded,
} from '../../../scripts/tetragon/agent-policies.ts'
import { recordedAgentPolicies } from '../../fakes/recorded-policies.ts'

describe('parsePolicyList', () => {
  it('reads what a real agent listed while it was loading policies', () => {
    const list = recordedAgentPolicies('tracingpolicies.json')
    expect(list.map(({ name, namespace, state, mode }) => [name, namespace, state, mode])).toEqual([
      ['sensitive-file-access', '', 'enabled', 'monitor_only'],
      ['unexpected-process-exec', 'application', 'loading', 'unknown'],
      ['tcp-connect', '', 'loading', 'unknown'],
    ])
  })

  it('reads what a real agent listed with enforcement', () => {
    const list = recordedAgentPolicies('tracingpolicies-enforced.json')
    expect(entriesOfPolicy(list, { name: 'deny-shadow', namespace: 'application' })).toMatchObject([
      { id: '7', state: 'enabled', mode: 'enforce', kernelBytes: 929792, counts: { events: 0, enforced: 0, would: 0 } },
    ])
    expect(entriesOfPolicy(list, { name: 'tcp-connect' })).toMatchObject([{ actionCounters: { post: 959 } }])
  })

  it('returns an empty list for an agent without policies', () => {
    expect(parsePolicyList('{}', 'a')).toEqual([])
  })
})

describe('sumCounts', () => {
  it('adds up every kind of enforcement, real and left out, over all agents', () => {
    const answer = (counters: object) =>
      JSON.stringify({ policies: [{ name: 'x', stats: { action_counters: counters } }] })
    const list = [
      ...parsePolicyList(answer({ post: '7', signal: '2', override: '3', monitor_signal: '1' }), 'a'),
      ...parsePolicyList(answer({ post: '1', notify_enforcer: '1', monitor_override: '4' }), 'b'),
    ]
    expect(sumCounts(list)).toEqual({ events: 8, enforced: 6, would: 5 })
  })
})

describe('judgeLoading', () => {
  it('tells policies of the same name in different namespaces apart', () => {
    const list = recordedAgentPolicies('tracingpolicies.json')
    expect(judgeLoading(list, { name: 'tcp-connect' }).outcome).toBe('waiting')
    expect(judgeLoading(list, { name: 'sensitive-file-access' }).outcome).toBe('loaded')
    expect(judgeLoading(list, { name: 'sensitive-file-access', namespace: 'application' }).outcome).toBe('waiting')
  })
})

describe('waiting', () => {
  const policy = (state: AgentPolicy['state'], id = '1', node = 'a', error?: string): AgentPolicy => ({
    node,
    id,
    name: 'x',
    namespace: '',
    state,
    ...(error && { error }),
    mode: 'unknown',
    kernelBytes: 0,
    counts: { events: 0, enforced: 0, would: 0 },
    actionCounters: {},
  })
  /** Options that return one list after the other, and then the last one again and again. */
  const answers = (...lists: AgentPolicy[][]) => {
    let requests = 0
    return { read: async () => lists[Math.min(requests++, lists.length - 1)]!, intervalMs: 1, timeoutMs: 200 }
  }

  it('ends when every agent has loaded the policy', async () => {
    const { outcome, agents } = await waitLoaded(
      { name: 'x' },
      answers(
        [],
        [policy('loading')],
        [policy('enabled'), policy('loading', '1', 'b')],
        [policy('enabled'), policy('enabled', '1', 'b')],
      ),
    )
    expect([outcome, agents.length]).toEqual(['loaded', 2])
  })

  it("ends with the agent's own message when one refuses the policy", async () => {
    expect(
      await waitLoaded({ name: 'x' }, answers([policy('enabled'), policy('load_error', '2', 'b', 'no such call')])),
    ).toMatchObject({ outcome: 'refused', error: 'no such call' })
  })

  it('for several policies ends when all are loaded, or one is refused', async () => {
    const named = (name: string, state: AgentPolicy['state']): AgentPolicy => ({ ...policy(state), name })
    const outcomes = async (...lists: AgentPolicy[][]) =>
      (await waitAllLoaded([{ name: 'x' }, { name: 'y' }], answers(...lists))).map(({ outcome }) => outcome)
    const loading = [named('x', 'enabled'), named('y', 'loading')]
    expect(await outcomes([], loading, [named('x', 'enabled'), named('y', 'enabled')])).toEqual(['loaded', 'loaded'])
    expect(await outcomes([], [named('x', 'loading'), named('y', 'error')])).toEqual(['waiting', 'refused'])
    expect(await outcomes(loading)).toEqual(['loaded', 'waiting'])
  })

  it('ignores the entry of an earlier version of the policy', async () => {
    const before = new Set(['a 1'])
    const options = {
      ...answers([policy('enabled', '1')], [], [policy('loading', '2')], [policy('enabled', '2')]),
      before,
    }
    expect((await waitLoaded({ name: 'x' }, options)).agents).toMatchObject([{ id: '2' }])
    expect(
      (await waitLoaded({ name: 'x' }, { ...answers([policy('enabled', '1')]), before, timeoutMs: 5 })).outcome,
    ).toBe('waiting')
  })

  it('ends with the last result when the time has run out', async () => {
    expect((await waitLoaded({ name: 'x' }, { ...answers([policy('loading')]), timeoutMs: 5 })).outcome).toBe('waiting')
    expect(await waitUnloaded({ name: 'x' }, { ...answers([policy('unloading')]), timeoutMs: 5 })).toBe(false)
    expect(await waitUnloaded({ name: 'x' }, answers([policy('unloading')], []))).toBe(true)
  })
})
