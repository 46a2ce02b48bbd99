import { afterEach, beforeEach, expect, it } from 'vitest'
import { findStuckWorkloads, stuckError } from '../../../scripts/cluster/stuck-workloads.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'

let programs: FakePrograms
beforeEach(() => {
  programs = fakePrograms()
})
afterEach(() => programs.restore())

const access = () => ({
  settings: parseSettings({ cluster: { mode: 'existing', context: 'mine' } }),
  env: programs.env,
})

/** Returns a DaemonSet or StatefulSet with one pod that is not ready. */
function workload(name: string, status: object = {}, { kind = 'DaemonSet', pods = 1 } = {}): object[] {
  const metadata = { name, namespace: 'monitoring' }
  const owner = { ...metadata, name: `${name}-0`, ownerReferences: [{ kind, name }] }
  return [
    { kind, metadata, spec: {}, status: { numberReady: 0, desiredNumberScheduled: 1 } },
    ...Array.from({ length: pods }, () => ({ kind: 'Pod', metadata: owner, status })),
  ]
}
const inCluster = (...items: object[][]) => programs.write('workloads.json', JSON.stringify({ items: items.flat() }))
const waiting = (reason: string, message?: string) => ({
  containerStatuses: [{ ready: false, restartCount: 0, state: { waiting: { reason, message } } }],
})
const running = { containerStatuses: [{ ready: false, restartCount: 0, state: { running: {} } }] }
const warnings = (...items: { name: string; reason: string; message: string; at: string }[]) =>
  programs.write(
    'events.json',
    JSON.stringify({
      items: items.map(({ name, reason, message, at }) => ({
        involvedObject: { name, namespace: 'monitoring' },
        reason,
        message,
        lastTimestamp: at,
      })),
    }),
  )

it('names the pod and the image that cannot be pulled', async () => {
  inCluster(workload('tetragon', waiting('ImagePullBackOff', 'Back-off pulling image "quay.io/x:1":\n not found')))
  expect(await findStuckWorkloads(access())).toEqual([
    {
      namespace: 'monitoring',
      name: 'tetragon',
      pod: 'tetragon-0',
      why: 'ImagePullBackOff: Back-off pulling image "quay.io/x:1": not found',
    },
  ])
})

it('says what the scheduler lacks', async () => {
  const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/1 nodes: memory' }
  inCluster(workload('loki', { conditions: [condition] }))
  expect(await findStuckWorkloads(access())).toMatchObject([{ why: 'Unschedulable: 0/1 nodes: memory' }])
})

it('says which probe fails, from the newest warning about that pod', async () => {
  inCluster(workload('grafana', running))
  warnings(
    { name: 'grafana-0', reason: 'Unhealthy', message: 'Readiness probe failed: old', at: '2026-11-29T10:00:00Z' },
    { name: 'grafana-0', reason: 'Unhealthy', message: 'Readiness probe failed: 503', at: '2026-11-29T10:01:00Z' },
    { name: 'grafana-other', reason: 'Failed', message: 'another pod', at: '2026-11-29T10:02:00Z' },
  )
  expect(await findStuckWorkloads(access())).toMatchObject([{ why: 'Unhealthy: Readiness probe failed: 503' }])
})

it('says why no pod could be created', async () => {
  inCluster(workload('tetragon', {}, { pods: 0 }))
  warnings({ name: 'tetragon', reason: 'FailedCreate', message: 'violates PodSecurity', at: '2026-11-29T10:00:00Z' })
  expect(await findStuckWorkloads(access())).toEqual([
    { namespace: 'monitoring', name: 'tetragon', why: 'FailedCreate: violates PodSecurity' },
  ])
})

it('puts the workloads with a known reason first, and leaves out those that are ready', async () => {
  const ready = { kind: 'DaemonSet', metadata: { name: 'node-exporter', namespace: 'monitoring' }, spec: {} }
  inCluster(
    [{ ...ready, status: { numberReady: 1, desiredNumberScheduled: 1 } }],
    workload('loki', running),
    workload('grafana', waiting('ErrImagePull')),
  )
  const stuck = await findStuckWorkloads(access())
  expect(stuck.map(({ name }) => name)).toEqual(['grafana', 'loki'])
  const [first, ...others] = stuck
  expect(stuckError([first!, ...others], 'pulumi up failed').lines()).toEqual([
    'Error     pulumi up failed: grafana is not ready (ErrImagePull). Also not ready: loki',
    'Fix       ./lab kubectl -n monitoring describe pod grafana-0. Then ./lab up, which repairs what it can',
  ])
})
