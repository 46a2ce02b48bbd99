import { describe, expect, test } from 'vitest'
import {
  describeTrouble,
  findTrouble,
  keepsRunningOutOfMemory,
  type PodState,
  workloadOf,
} from '../../../scripts/cluster/workloads.ts'

const metadata = { name: 'a-pod', namespace: 'monitoring' }
type Container = NonNullable<PodState['status']['containerStatuses']>[number]

/** Returns a pod with one container, as Kubernetes describes it. */
const pod = (container: Partial<Container>, more: Partial<PodState['status']> = {}): PodState => ({
  kind: 'Pod',
  metadata,
  status: { containerStatuses: [{ ready: false, restartCount: 0, ...container }], ...more },
})
const killed = { terminated: { reason: 'OOMKilled' } }

describe('the trouble of a pod', () => {
  test.each<[string, PodState, string | undefined]>([
    ['is nothing when it is ready', pod({ ready: true, restartCount: 3, lastState: killed }), undefined],
    ['is nothing while it is created', pod({ state: { waiting: { reason: 'ContainerCreating' } } }), undefined],
    ['is nothing while it runs but is not ready', pod({ state: {} }), undefined],
    [
      'is the reason of the last exit, not CrashLoopBackOff',
      pod({ restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: killed }),
      'OOMKilled, 4 restarts',
    ],
    [
      'is the reason of the last exit after a restart',
      pod({ restartCount: 1, state: {}, lastState: killed }),
      'OOMKilled, 1 restart',
    ],
    ['is the reason of the exit', pod({ restartCount: 2, state: killed }), 'OOMKilled, 2 restarts'],
    ['is a failed image pull', pod({ state: { waiting: { reason: 'ImagePullBackOff' } } }), 'ImagePullBackOff'],
    [
      'is that of an init container first',
      pod(
        { state: { waiting: { reason: 'PodInitializing' } } },
        {
          initContainerStatuses: [
            { ready: true, restartCount: 0, state: { terminated: { reason: 'Completed' } } },
            { ready: false, restartCount: 2, state: { terminated: { reason: 'Error' } } },
          ],
        },
      ),
      'Error, 2 restarts',
    ],
    [
      'is a lack of resources on the node',
      {
        kind: 'Pod',
        metadata,
        status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] },
      },
      'Unschedulable',
    ],
  ])('%s', (_, state, description) => {
    const trouble = findTrouble(state)
    expect(trouble && describeTrouble(trouble)).toBe(description)
  })
})

describe('a pod keeps running out of memory', () => {
  const now = Date.parse('2026-11-30T12:00:00Z')
  const killedAt = (time: string, startedAt = time) => ({
    terminated: {
      reason: 'OOMKilled',
      startedAt: `2026-11-30T${startedAt}Z`,
      finishedAt: `2026-11-30T${time}Z`,
    },
  })
  test.each<[string, Partial<Container>, boolean]>([
    ['after two restarts for that reason', { restartCount: 2, lastState: killed }, true],
    [
      'also while it is ready between two kills',
      { ready: true, restartCount: 2, lastState: killedAt('11:56:00') },
      true,
    ],
    ['but not once it has stayed ready', { ready: true, restartCount: 2, lastState: killedAt('11:54:00') }, false],
    ['nor after it ran for long', { ready: true, restartCount: 2, lastState: killedAt('11:56:00', '09:00:00') }, false],
    ['nor after one restart', { restartCount: 1, lastState: killed }, false],
    ['nor when it ends for another reason', { restartCount: 9, lastState: { terminated: { reason: 'Error' } } }, false],
  ])('%s', (_, container, expected) => {
    expect(keepsRunningOutOfMemory(pod(container), now)).toBe(expected)
  })
})

test('a pod belongs to the workload that owns it, or to itself', () => {
  const owned = (kind: string, name: string, labels = {}) =>
    workloadOf({ metadata: { name: 'x', labels, ownerReferences: [{ kind, name }] } })
  expect(owned('ReplicaSet', 'frontend-6d5f', { 'pod-template-hash': '6d5f' })).toBe('frontend')
  expect(owned('StatefulSet', 'loki')).toBe('loki')
  expect(workloadOf({ metadata: { name: 'alone' } })).toBe('alone')
})
