import { afterEach, expect, it } from 'vitest'
import { waitForPolicies } from '../../../scripts/lab/wait-for-policies.ts'
import { type FakeCluster, startFakeCluster } from '../../fakes/fake-cluster.ts'

let cluster: FakeCluster
afterEach(() => cluster.remove())

it('does not wait for a policy that the user has removed', async () => {
  cluster = startFakeCluster({ policies: ['tcp-connect'] })
  await expect(
    waitForPolicies(cluster.access, ['tcp-connect', 'sys-openat'], { intervalMs: 1 }),
  ).resolves.toBeUndefined()
  expect(cluster.calls('exec')).toBe(1)
})

it("fails with the agent's own message when it refuses a policy", async () => {
  cluster = startFakeCluster({
    policies: ['tcp-connect', 'deny-shadow'],
    refuses: { 'deny-shadow': 'no fmod_ret' },
  })
  await expect(
    waitForPolicies(cluster.access, ['tcp-connect', 'deny-shadow'], { intervalMs: 1 }),
  ).rejects.toMatchObject({
    name: 'LabError',
    found: 'The agent refused deny-shadow: no fmod_ret',
  })
})

it('fails when the agent has not loaded a policy in time', async () => {
  cluster = startFakeCluster({ policies: ['tcp-connect'] })
  const noAgent = async () => []
  await expect(
    waitForPolicies(cluster.access, ['tcp-connect'], { read: noAgent, intervalMs: 1, timeoutMs: 5 }),
  ).rejects.toMatchObject({ name: 'LabError', found: expect.stringContaining('the agent has not loaded it') })
})
