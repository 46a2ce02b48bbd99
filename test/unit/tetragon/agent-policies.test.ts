import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { firstPolicies } from '../../../scripts/lab/first-policies.ts'
import { applyPolicy, removePolicy } from '../../../scripts/policy/apply.ts'
import { readClusterState, stateOf } from '../../../scripts/policy/state.ts'
import {
  type AgentPolicy,
  judgeLoading,
  ofPolicy,
  parsePolicyList,
  sumCounts,
  waitAllLoaded,
  waitLoaded,
  waitUnloaded,
} from '../../../scripts/tetragon/agent-policies.ts'
import { judgePolicies } from '../../../scripts/verify/promises.ts'
import { projectDir } from '../../../shared/paths.ts'
import { readPolicy } from '../../../shared/policy-file.ts'
import { parseSettings } from '../../../shared/settings/schema.ts'

const recorded = (name: string): AgentPolicy[] =>
  parsePolicyList(
    readFileSync(join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook', name), 'utf8'),
    'lab-control-plane',
  )

describe('what a real agent listed', () => {
  test('while it was loading', () => {
    const list = recorded('tracingpolicies.json')
    expect(list.map(({ name, namespace, state, mode }) => [name, namespace, state, mode])).toEqual([
      ['sensitive-file-access', '', 'enabled', 'monitor_only'],
      ['unexpected-process-exec', 'application', 'loading', 'unknown'],
      ['tcp-connect', '', 'loading', 'unknown'],
    ])
    expect(judgeLoading(list, { name: 'tcp-connect' }).outcome).toBe('waiting')
    expect(judgeLoading(list, { name: 'sensitive-file-access' }).outcome).toBe('loaded')
    expect(judgeLoading(list, { name: 'sensitive-file-access', namespace: 'application' }).outcome).toBe('waiting')
  })

  test('with the enforcing ones', () => {
    const list = recorded('tracingpolicies-enforced.json')
    expect(ofPolicy(list, { name: 'deny-shadow', namespace: 'application' })).toMatchObject([
      { id: '7', state: 'enabled', mode: 'enforce', kernelBytes: 929792, counts: { events: 0, enforced: 0, would: 0 } },
    ])
    expect(sumCounts(ofPolicy(list, { name: 'tcp-connect' }))).toEqual({ events: 959, enforced: 0, would: 0 })
  })
})

describe('verify of what a real agent listed', () => {
  const wanted = parseSettings({}).policies.apply.map(name => readPolicy(name).metadata)
  const verified = (agents: AgentPolicy[], objects = wanted, source: 'live' | 'replay' = 'live') =>
    judgePolicies(wanted, { source, objects, agents }).map(({ title, result, found }) => `${title} ${result}: ${found}`)

  test('while it was loading: what is in the cluster is not good enough', () => {
    expect(verified(recorded('tracingpolicies.json'))).toEqual([
      'sensitive-file-access ok: loaded, monitor_only, 22 events',
      'unexpected-process-exec fail: not loaded yet',
      'tcp-connect fail: not loaded yet',
      'sys-openat fail: not loaded yet',
    ])
  })

  test('with all of them, and with one taken out of the cluster', () => {
    const list = recorded('tracingpolicies-enforced.json')
    expect(verified(list).filter(line => !line.includes(' ok: loaded, monitor_only, '))).toEqual([])
    const without = wanted.filter(({ name }) => name !== 'tcp-connect')
    expect(verified(list, without)).toContain('tcp-connect fail: not in the cluster')
  })

  test('with one that it refused, though nobody asked for it', () => {
    const list = recorded('tracingpolicies-enforced.json').map(policy =>
      policy.name === 'deny-shadow' ? { ...policy, state: 'load_error' as const, error: 'no fmod_ret' } : policy,
    )
    const deny = { name: 'deny-shadow', namespace: 'application' }
    expect(verified(list, [...wanted, deny])).toContain('deny-shadow fail: the agent refused it: no fmod_ret')
  })

  test('where a recording is replayed nobody is there to load them', () => {
    expect(verified([], wanted, 'replay')).toContain('tcp-connect ok: in the cluster; no agent runs that could load it')
  })
})

test('counts of all kinds of enforcement, done and not done, are summed over the agents', () => {
  const answer = (counters: object) =>
    JSON.stringify({ policies: [{ name: 'x', stats: { action_counters: counters } }] })
  const list = [
    ...parsePolicyList(answer({ post: '7', signal: '2', override: '3', monitor_signal: '1' }), 'a'),
    ...parsePolicyList(answer({ post: '1', notify_enforcer: '1', monitor_override: '4' }), 'b'),
  ]
  expect(sumCounts(list)).toEqual({ events: 8, enforced: 6, would: 5 })
  expect(parsePolicyList('{}', 'a')).toEqual([])
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
  })
  const answers = (...lists: AgentPolicy[][]) => {
    let asked = 0
    return { ask: async () => lists[Math.min(asked++, lists.length - 1)]!, every: 1, limit: 200 }
  }

  test('ends when every agent has loaded it', async () => {
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

  test("ends with the agent's own words when one refuses", async () => {
    expect(
      await waitLoaded({ name: 'x' }, answers([policy('enabled'), policy('load_error', '2', 'b', 'no such call')])),
    ).toMatchObject({ outcome: 'refused', error: 'no such call' })
  })

  test('for several ends when all are loaded, or one is refused', async () => {
    const named = (name: string, state: AgentPolicy['state']): AgentPolicy => ({ ...policy(state), name })
    const outcomes = async (...lists: AgentPolicy[][]) =>
      (await waitAllLoaded([{ name: 'x' }, { name: 'y' }], answers(...lists))).map(({ outcome }) => outcome)
    const loading = [named('x', 'enabled'), named('y', 'loading')]
    expect(await outcomes([], loading, [named('x', 'enabled'), named('y', 'enabled')])).toEqual(['loaded', 'loaded'])
    expect(await outcomes([], [named('x', 'loading'), named('y', 'error')])).toEqual(['waiting', 'refused'])
    expect(await outcomes(loading)).toEqual(['loaded', 'waiting'])
  })

  test('does not take the version before for the new one', async () => {
    const before = new Set(['a 1'])
    const options = {
      ...answers([policy('enabled', '1')], [], [policy('loading', '2')], [policy('enabled', '2')]),
      before,
    }
    expect((await waitLoaded({ name: 'x' }, options)).agents).toMatchObject([{ id: '2' }])
    expect((await waitLoaded({ name: 'x' }, { ...answers([policy('enabled', '1')]), before, limit: 5 })).outcome).toBe(
      'waiting',
    )
  })

  test('ends at its limit', async () => {
    expect((await waitLoaded({ name: 'x' }, { ...answers([policy('loading')]), limit: 5 })).outcome).toBe('waiting')
    expect(await waitUnloaded({ name: 'x' }, { ...answers([policy('unloading')]), limit: 5 })).toBe(false)
    expect(await waitUnloaded({ name: 'x' }, answers([policy('unloading')], []))).toBe(true)
  })
})

describe('apply and remove, with a fake kubectl', () => {
  let folder: string
  const env = { PATH: process.env.PATH, LAB_DIR: process.env.LAB_DIR }
  const start = (daemonset: string, refuses: Record<string, string> = {}): void =>
    writeFileSync(
      join(folder, 'cluster.json'),
      JSON.stringify({ daemonsets: [daemonset], refuses, version: 1, objects: {}, agent: {} }),
    )
  const calls = (verb: string): number =>
    readFileSync(join(folder, 'cluster.json.log'), 'utf8')
      .split('\n')
      .filter(line => line.startsWith(`${verb} `)).length

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'fake-cluster-'))
    symlinkSync(join(projectDir, 'test', 'fakes', 'fake-kubectl.mjs'), join(folder, 'kubectl'))
    writeFileSync(join(folder, 'kubeconfig'), '')
    process.env.PATH = `${folder}:${dirname(process.execPath)}:${env.PATH}`
    process.env.LAB_DIR = folder
    process.env.FAKE_CLUSTER = join(folder, 'cluster.json')
  })
  afterEach(() => {
    Object.assign(process.env, env)
    if (env.LAB_DIR === undefined) delete process.env.LAB_DIR
    delete process.env.FAKE_CLUSTER
    rmSync(folder, { recursive: true })
  })

  test('a policy is loaded when the agent says so; unchanged it is not waited for anew, changed it is', async () => {
    start('tetragon')
    const key = { name: 'deny-shadow', namespace: 'application' }
    expect(await applyPolicy('deny-shadow', { every: 1 })).toMatchObject([
      { ...key, object: 'created', source: 'live', loading: { outcome: 'loaded', agents: [{ id: '3' }] } },
    ])
    expect(await applyPolicy('deny-shadow', { every: 1 })).toMatchObject([
      { object: 'unchanged', loading: { agents: [{ id: '3' }] } },
    ])
    const changed = join(folder, 'changed.yaml')
    copyFileSync(join(projectDir, 'policies', 'deny-shadow.yaml'), changed)
    chmodSync(changed, 0o600)
    writeFileSync(changed, readFileSync(changed, 'utf8').replace('shadow file denied', 'shadow file refused'))
    expect(await applyPolicy(changed, { every: 1 })).toMatchObject([
      { object: 'configured', loading: { agents: [{ id: '5' }] } },
    ])

    expect(stateOf(key, await readClusterState())).toMatchObject({
      ...key,
      state: 'loaded',
      mode: 'enforce',
      counts: { events: 2, enforced: 1, would: 0 },
    })
    expect(await removePolicy('deny-shadow')).toEqual({ ...key, unloaded: true })
    expect(stateOf(key, await readClusterState()).state).toBe('absent')
    await expect(removePolicy('deny-shadow')).rejects.toMatchObject({
      found: 'no policy deny-shadow is in the cluster',
    })
  })

  test("the agent's refusal comes back in its own words", async () => {
    const words = "override validation failed: can't override 'security_file_open' function with kprobe_multi"
    start('tetragon', { 'deny-shadow': words })
    const [applied] = await applyPolicy('deny-shadow', { every: 1 })
    expect(applied!.loading).toMatchObject({ outcome: 'refused', error: words })
    expect(stateOf(applied!, await readClusterState())).toMatchObject({ state: 'refused', error: words })
  })

  test('where a recording is replayed it is accepted, and no agent is asked', async () => {
    start('tetragon-replay')
    const [applied] = await applyPolicy('tcp-connect')
    expect(applied).toMatchObject({ name: 'tcp-connect', object: 'created', source: 'replay' })
    expect(applied!.loading).toBeUndefined()
    expect(stateOf(applied!, await readClusterState())).toEqual({ name: 'tcp-connect', state: 'accepted' })
    expect(calls('exec')).toBe(0)
  })

  test('at the end of `up` the policies are waited for; one that was taken out by hand is not, one that is refused ends it', async () => {
    start('tetragon', { 'deny-shadow': 'no fmod_ret' })
    const waiting = { every: 1, limit: 200 }
    await applyPolicy('tcp-connect', waiting)
    await expect(firstPolicies(['tcp-connect', 'sys-openat'], waiting)).resolves.toBeUndefined()
    await applyPolicy('deny-shadow', waiting)
    await expect(firstPolicies(['tcp-connect', 'deny-shadow'], waiting)).rejects.toMatchObject({
      name: 'LabError',
      found: 'the agent refused deny-shadow: no fmod_ret',
    })
    const never = async () => []
    await expect(firstPolicies(['tcp-connect'], { ask: never, every: 1, limit: 5 })).rejects.toMatchObject({
      found: expect.stringContaining('the agent has not loaded it'),
    })
  })

  test('what the lint calls an error never reaches the cluster; what it warns of does, and is said', async () => {
    start('tetragon')
    const documents = join(projectDir, 'test', 'policies', 'documents')
    await expect(applyPolicy(join(documents, 'tp-openat-enforcement.yaml'))).rejects.toMatchObject({
      name: 'LabError',
      next: expect.stringContaining('lab policy lint'),
    })
    const warned: string[] = []
    await applyPolicy(join(documents, 'tp-openat-args.yaml'), { every: 1, warn: ({ rule }) => warned.push(rule) })
    expect(warned).toEqual(['whole-machine', 'severity-tag', 'hot-hook'])
    expect(calls('apply')).toBe(1)
  })
})
