import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { applyPolicy, removePolicy } from '../../../scripts/policy/apply.ts'
import { readClusterState, stateOf } from '../../../scripts/policy/policy-state.ts'
import { projectDir } from '../../../shared/paths.ts'
import { type FakeCluster, startFakeCluster } from '../../fakes/fake-cluster.ts'

let cluster: FakeCluster
afterEach(() => cluster.remove())

const denyShadow = { name: 'deny-shadow', namespace: 'application' }

it('waits for the agent to load a new policy', async () => {
  cluster = startFakeCluster()
  expect(await applyPolicy(cluster.access, 'deny-shadow', { intervalMs: 1 })).toMatchObject([
    { ...denyShadow, object: 'created', source: 'live', loading: { outcome: 'loaded', agents: [{ id: '2' }] } },
  ])
})

it('does not wait for the agent to reload an unchanged policy', async () => {
  cluster = startFakeCluster({ policies: ['deny-shadow'] })
  expect(await applyPolicy(cluster.access, 'deny-shadow', { intervalMs: 1 })).toMatchObject([
    { ...denyShadow, object: 'unchanged', loading: { outcome: 'loaded', agents: [{ id: '1' }] } },
  ])
})

it('waits for the agent to reload a changed policy under a new id', async () => {
  cluster = startFakeCluster({ policies: ['deny-shadow'] })
  const changed = join(cluster.folder, 'changed.yaml')
  const original = readFileSync(join(projectDir, 'policies', 'deny-shadow.yaml'), 'utf8')
  writeFileSync(changed, original.replace('shadow file denied', 'shadow file refused'))
  expect(await applyPolicy(cluster.access, changed, { intervalMs: 1 })).toMatchObject([
    { ...denyShadow, object: 'configured', loading: { outcome: 'loaded', agents: [{ id: '3' }] } },
  ])
})

it('reports only the policies of a file that also has a Pod', async () => {
  cluster = startFakeCluster()
  const file = join(cluster.folder, 'policy-and-pod.yaml')
  const policy = readFileSync(join(projectDir, 'policies', 'deny-shadow.yaml'), 'utf8')
  writeFileSync(file, `apiVersion: v1\nkind: Pod\nmetadata: { name: secret }\n---\n${policy}`)
  const applied = await applyPolicy(cluster.access, file, { intervalMs: 1 })
  expect(applied.map(({ name }) => name)).toEqual(['deny-shadow'])
})

it('removes a policy from the cluster and the agent, once', async () => {
  cluster = startFakeCluster({ policies: ['deny-shadow'] })
  const { access } = cluster
  expect(stateOf(denyShadow, await readClusterState(access))).toMatchObject({
    ...denyShadow,
    state: 'loaded',
    mode: 'enforce',
    counts: { events: 2, enforced: 1, would: 0 },
  })
  expect(await removePolicy(access, 'deny-shadow')).toMatchObject({ ...denyShadow, unloaded: true })
  expect(stateOf(denyShadow, await readClusterState(access)).state).toBe('absent')
  await expect(removePolicy(access, 'deny-shadow')).rejects.toMatchObject({
    name: 'LabError',
    found: expect.stringMatching(/no policy (named )?deny-shadow/i),
  })
})

it('asks the agent again when a question breaks off after a policy was removed', async () => {
  cluster = startFakeCluster({ policies: ['deny-shadow'], breaks: 2 })
  expect(await removePolicy(cluster.access, 'deny-shadow', { intervalMs: 1 })).toMatchObject({ unloaded: true })
  expect(cluster.calls('exec')).toBe(3)
})

it("returns the agent's own message when it refuses a policy", async () => {
  const message = "override validation failed: can't override 'security_file_open' function with kprobe_multi"
  cluster = startFakeCluster({ refuses: { 'deny-shadow': message } })
  const [applied] = await applyPolicy(cluster.access, 'deny-shadow', { intervalMs: 1 })
  expect(applied!.loading).toMatchObject({ outcome: 'refused', error: message })
  expect(stateOf(applied!, await readClusterState(cluster.access))).toMatchObject({ state: 'refused', error: message })
})

it('does not ask an agent when the lab replays a recording', async () => {
  cluster = startFakeCluster({ daemonset: 'tetragon-replay' })
  const [applied] = await applyPolicy(cluster.access, 'tcp-connect')
  expect(applied).toMatchObject({ name: 'tcp-connect', object: 'created', source: 'replay' })
  expect(applied!.loading).toBeUndefined()
  expect(stateOf(applied!, await readClusterState(cluster.access))).toEqual({ name: 'tcp-connect', state: 'accepted' })
  expect(cluster.calls('exec')).toBe(0)
})

it('applies a policy with lint warnings, and reports them; never one with lint errors', async () => {
  cluster = startFakeCluster()
  const documents = join(projectDir, 'test', 'policies', 'documents')
  await expect(applyPolicy(cluster.access, join(documents, 'tp-openat-enforcement.yaml'))).rejects.toMatchObject({
    name: 'LabError',
    next: expect.stringContaining('lab policy lint'),
  })
  const warned: string[] = []
  await applyPolicy(cluster.access, join(documents, 'tp-openat-args.yaml'), {
    intervalMs: 1,
    warn: ({ rule }) => warned.push(rule),
  })
  expect(warned).toEqual(['whole-machine', 'severity-tag', 'hot-hook'])
  expect(cluster.calls('apply')).toBe(1)
})
