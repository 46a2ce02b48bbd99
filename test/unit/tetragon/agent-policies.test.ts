import { describe, expect, it, vi } from 'vitest'
import {
  type AgentPolicy,
  entriesOfPolicy,
  judgeLoading,
  notLoadedError,
  parsePolicyList,
  sumCounts,
  waitAllLoaded,
  waitLoaded,
  waitUnloaded,
} from '../../../scripts/tetragon/agent-policies.ts'
import { LabError } from '../../../shared/lab-error.ts'
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
      (await waitAllLoaded([{ name: 'x' }, { name: 'y' }], answers(...lists))).results.map(({ outcome }) => outcome)
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
    const unloading = { ...answers([policy('unloading')]), timeoutMs: 5 }
    expect(await waitUnloaded({ name: 'x' }, unloading)).toMatchObject({ unloaded: false })
    expect(await waitUnloaded({ name: 'x' }, answers([policy('unloading')], []))).toMatchObject({ unloaded: true })
  })

  it('asks again when a question breaks off, and fails when none was answered', async () => {
    const broken = new LabError({ found: 'kubectl exec failed: websocket: close 1006', next: './lab status' })
    let requests = 0
    const read = async () => {
      if (++requests === 2) throw broken
      return requests < 4 ? [policy('unloading')] : []
    }
    const options = { read, intervalMs: 1, timeoutMs: 10_000 }
    expect(await waitUnloaded({ name: 'x' }, options)).toMatchObject({ unloaded: true })
    const never = { ...options, read: async () => Promise.reject(broken), timeoutMs: 5 }
    await expect(waitUnloaded({ name: 'x' }, never)).rejects.toBe(broken)
  })

  it('gives a question no more time than is left, and says how long it really waited', async () => {
    vi.useFakeTimers()
    const given: number[] = []
    const read = async (timeoutMs: number) => {
      given.push(timeoutMs)
      // The agent answers late: it is loading.
      vi.advanceTimersByTime(100_000)
      return [policy('loading')]
    }
    const { outcome, seconds } = await waitLoaded({ name: 'x' }, { read, timeoutMs: 90_000 })
    vi.useRealTimers()
    expect({ outcome, seconds, given }).toEqual({ outcome: 'waiting', seconds: 100, given: [90_000] })
    expect(notLoadedError('x', { outcome, agents: [], seconds })).toMatchObject({
      found: 'x is in the cluster, but the agent has not loaded it after 100 s',
    })
  })
})
