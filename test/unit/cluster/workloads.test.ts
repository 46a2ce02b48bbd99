import { describe, expect, test } from 'vitest'
import {
  outOfMemory,
  type PodState,
  sayTrouble,
  troubleOf,
  type Workload,
  workloadOf,
} from '../../../scripts/cluster/workloads.ts'

const metadata = { name: 'a-pod', namespace: 'monitoring' }
type Container = NonNullable<PodState['status']['containerStatuses']>[number]

/** A pod with one container, as Kubernetes describes it. */
const pod = (container: Partial<Container>, more: Partial<PodState['status']> = {}): PodState => ({
  kind: 'Pod',
  metadata,
  status: { containerStatuses: [{ ready: false, restartCount: 0, ...container }], ...more },
})
const killed = { terminated: { reason: 'OOMKilled' } }

describe('what is the matter with a pod', () => {
  test.each<[string, PodState, string | undefined]>([
    ['nothing, when it is ready', pod({ ready: true, restartCount: 3, lastState: killed }), undefined],
    ['nothing yet, when it is being made', pod({ state: { waiting: { reason: 'ContainerCreating' } } }), undefined],
    ['nothing yet, when it runs and is not ready', pod({ state: {} }), undefined],
    [
      'how it ended, when it is held back after that',
      pod({ restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: killed }),
      'OOMKilled, 4 restarts',
    ],
    [
      'how it ended last, when it runs again',
      pod({ restartCount: 1, state: {}, lastState: killed }),
      'OOMKilled, 1 restart',
    ],
    ['that it has ended', pod({ restartCount: 2, state: killed }), 'OOMKilled, 2 restarts'],
    ['its image', pod({ state: { waiting: { reason: 'ImagePullBackOff' } } }), 'ImagePullBackOff'],
    [
      'the first that has to run before it',
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
      'no room for it',
      {
        kind: 'Pod',
        metadata,
        status: { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] },
      },
      'Unschedulable',
    ],
  ])('%s', (_, state, says) => {
    const trouble = troubleOf(state)
    expect(trouble && sayTrouble(trouble)).toBe(says)
  })

  test('is want of memory only when that happens again and again', () => {
    const workload: Workload = { namespace: 'monitoring', name: 'loki', kind: 'StatefulSet', ready: 0, wanted: 1 }
    expect(outOfMemory(workload)).toBe(false)
    expect(outOfMemory({ ...workload, trouble: { reason: 'OOMKilled', restarts: 1 } })).toBe(false)
    expect(outOfMemory({ ...workload, trouble: { reason: 'OOMKilled', restarts: 2 } })).toBe(true)
    expect(outOfMemory({ ...workload, trouble: { reason: 'Error', restarts: 9 } })).toBe(false)
  })
})

test('a pod belongs to the workload that made it, or to itself', () => {
  const owned = (kind: string, name: string, labels = {}) =>
    workloadOf({ metadata: { name: 'x', labels, ownerReferences: [{ kind, name }] } })
  expect(owned('ReplicaSet', 'frontend-6d5f', { 'pod-template-hash': '6d5f' })).toBe('frontend')
  expect(owned('StatefulSet', 'loki')).toBe('loki')
  expect(workloadOf({ metadata: { name: 'alone' } })).toBe('alone')
})
