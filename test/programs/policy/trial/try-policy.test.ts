import { appendFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { readClusterState } from '../../../../scripts/policy/policy-state.ts'
import { followPolicyEvents } from '../../../../scripts/policy/trial/policy-events.ts'
import { tryPolicy } from '../../../../scripts/policy/trial/try-policy.ts'
import { type FakeCluster, type FakeClusterOptions, startFakeCluster } from '../../../fakes/fake-cluster.ts'

let cluster: FakeCluster
const start = (options?: FakeClusterOptions): FakeCluster => {
  cluster = startFakeCluster(options)
  return cluster
}
afterEach(() => cluster.remove())

/** An event of the agent about an open of /etc/shadow. */
const openOfShadow = (policy: string, action = 'KPROBE_ACTION_OVERRIDE') => ({
  process_kprobe: {
    process: { binary: '/bin/cat', arguments: '/etc/shadow', pod: { name: 'visitor-1' } },
    function_name: 'security_file_open',
    args: [{ file_arg: { path: '/etc/shadow', permission: '-rw-r-----' } }],
    action,
    policy_name: policy,
  },
  time: '2026-11-21T09:27:35Z',
})
const refused = {
  exitCode: 1,
  prints: "cat: can't open '/etc/shadow': Permission denied\n",
  events: [openOfShadow('deny-shadow'), openOfShadow('deny-shadow-monitor')],
  counters: { override: '2' },
}

describe('a policy that does what it promises', () => {
  it('is loaded, triggered, observed and removed', async () => {
    const { access } = start({ trigger: refused })
    const told: string[] = []
    const result = await tryPolicy(access, 'deny-shadow', { intervalMs: 1, progress: text => told.push(text) })
    expect(result).toMatchObject({
      name: 'deny-shadow',
      namespace: 'application',
      applied: true,
      run: 'kubectl -n application exec deploy/visitor -- cat /etc/shadow',
      exitCode: 1,
      output: expect.stringContaining('Permission denied'),
      events: [
        {
          pod: 'visitor-1',
          process: 'cat /etc/shadow',
          call: 'security_file_open',
          args: ['/etc/shadow'],
          action: 'Override',
        },
      ],
      counts: { enforced: 1 },
      passed: true,
    })
    expect(told).toEqual(['Loading deny-shadow', 'Triggering deny-shadow', 'Removing deny-shadow'])
    expect((await readClusterState(access)).objects).toEqual([])
  })

  it('stays loaded if it was loaded before', async () => {
    const { access } = start({ policies: ['deny-shadow'], trigger: refused })
    expect(await tryPolicy(access, 'deny-shadow', { intervalMs: 1 })).toMatchObject({ applied: false, passed: true })
    expect((await readClusterState(access)).objects).toHaveLength(1)
    expect(cluster.calls('apply')).toBe(0)
  })

  it('is triggered in the lab, not in the user’s current context', async () => {
    const trigger = { ...refused, prints: 'Permission denied by $KUBECONFIG' }
    const { access } = start({ policies: ['deny-shadow'], trigger })
    const env = { ...access.env, KUBECONFIG: '/lab/kubeconfig' }
    const { output } = await tryPolicy({ ...access, env }, 'deny-shadow', { intervalMs: 1 })
    expect(output).toBe('Permission denied by /lab/kubeconfig')
  })
})

it('is removed from a cluster whose agent refuses it', async () => {
  const { access } = start({ refuses: { 'deny-shadow': 'no fmod_ret' } })
  await expect(tryPolicy(access, 'deny-shadow', { intervalMs: 1 })).rejects.toMatchObject({
    found: 'The agent refused deny-shadow: no fmod_ret',
    next: './lab policy apply deny-shadow',
  })
  expect((await readClusterState(access)).objects).toEqual([])
})

it('is not tried if the agent refused it', async () => {
  const { access } = start({ policies: ['deny-shadow'], refuses: { 'deny-shadow': 'no fmod_ret' } })
  await expect(tryPolicy(access, 'deny-shadow')).rejects.toMatchObject({ next: './lab policy check deny-shadow' })
})

it('says why a replay cannot try a policy, and applies nothing', async () => {
  const { access } = start({ daemonset: 'tetragon-replay' })
  await expect(tryPolicy(access, 'deny-shadow')).rejects.toMatchObject({
    name: 'LabError',
    found: expect.stringContaining('the lab replays a recording'),
    next: './lab doctor',
  })
  expect(cluster.calls('apply')).toBe(0)
})

it('names the nearest policy for a name that the lab does not have', async () => {
  const { access } = start()
  await expect(tryPolicy(access, 'deny-shadows')).rejects.toMatchObject({
    expected: expect.stringContaining('deny-shadow'),
    exitCode: 2,
  })
})

it('reads only what the agent writes after the start, also when it rotates the file', async () => {
  const { access } = start()
  const folder = `${access.env.FAKE_CLUSTER}.logs`
  const file = join(folder, 'tetragon.log')
  const line = (name: string): string => `${JSON.stringify(openOfShadow(name))}\n`
  const rotate = (time: string): void => renameSync(file, join(folder, `tetragon-2026-11-30T${time}.log`))
  appendFileSync(file, line('deny-shadow'))
  rotate('12-00-00.000')
  writeFileSync(file, line('deny-shadow'))
  const events = await followPolicyEvents(access, 'deny-shadow')
  expect(await events()).toEqual([])
  appendFileSync(file, `${line('tcp-connect')}${line('deny-shadow')}{"process_kp`)
  expect(await events()).toHaveLength(1)
  appendFileSync(file, 'robe":{}}\n')
  rotate('12-01-00.000')
  writeFileSync(file, line('deny-shadow'))
  expect(await events()).toHaveLength(2)
  // The agent keeps only some files.
  rmSync(join(folder, 'tetragon-2026-11-30T12-00-00.000.log'))
  rmSync(join(folder, 'tetragon-2026-11-30T12-01-00.000.log'))
  expect(await events()).toHaveLength(1)
})
