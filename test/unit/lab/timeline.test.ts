import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Timeline, writeTimeline } from '../../../scripts/lab/timeline.ts'
import { newFolder } from '../support/folders.ts'

const urn = (type: string, name: string) => `urn:pulumi:dev::tetragon-lab::${type}::${name}`
const started = (name: string, type = 'x') => ({ resourcePreEvent: { metadata: { urn: urn(type, name) } } })
const ended = (name: string, type = 'x') => ({ resOutputsEvent: { metadata: { urn: urn(type, name) } } })
const progress = (message: string) =>
  ({
    diagnosticEvent: {
      urn: urn('lab:cluster:Cluster$command:local:Command', 'cluster-node'),
      message,
      severity: 'info',
    },
  }) as const

/** A timeline whose clock stands still until it is moved, in seconds. */
function createTimeline() {
  const clock = { seconds: 1000 }
  return { clock, timeline: new Timeline(() => clock.seconds * 1000) }
}

/** Returns the spans as `group: name, start, duration`, in seconds after the start. */
function spans(timeline: Timeline): string[] {
  const { traceEvents } = timeline.trace()
  const groups = new Map(traceEvents.flatMap(({ ph, pid, args }) => (ph === 'M' ? [[pid, args?.name]] : [])))
  return traceEvents.flatMap(({ ph, pid, name, ts, dur = 0 }) =>
    ph === 'X' ? [`${groups.get(pid)}: ${name}, ${ts / 1e6}, ${dur / 1e6}`] : [],
  )
}

it('records steps, also those that fail', async () => {
  const { clock, timeline } = createTimeline()
  await timeline.measure('check', async () => {
    clock.seconds += 2
  })
  await expect(
    timeline.measure('deploy', async () => {
      clock.seconds += 3
      throw new Error('broken')
    }),
  ).rejects.toThrow('broken')
  expect(spans(timeline)).toEqual(['Steps: check, 0, 2', 'Steps: deploy, 2, 3'])
})

it('records resources, and what the cluster reports of its phases and images', () => {
  const { clock, timeline } = createTimeline()
  const at = (seconds: number, event: Parameters<Timeline['on']>[0]) => {
    clock.seconds = 1000 + seconds
    timeline.on(event)
  }
  at(1, started('cluster-node'))
  at(2, progress('creating the node\nloading grafana:13'))
  at(9, progress('the node has booted'))
  at(11, progress('loaded grafana:13'))
  at(12, ended('cluster-node'))
  at(12, started('loki'))
  at(13, { diagnosticEvent: { urn: urn('x', 'loki'), message: 'waiting', severity: 'info' } })
  at(15, { resOpFailedEvent: { metadata: { urn: urn('x', 'loki') } } })
  expect(spans(timeline)).toEqual([
    'Cluster: creating the node, 2, 7',
    'Cluster: the node has booted, 9, 3',
    'Images: load grafana:13, 2, 9',
    'Resources: cluster-node, 1, 11',
    'Resources: loki, 12, 3',
  ])
})

it('draws what happens at the same time on lines of their own, and reuses a line that is free', () => {
  const { clock, timeline } = createTimeline()
  timeline.on(started('loki'))
  timeline.on(started('grafana'))
  clock.seconds += 5
  timeline.on(ended('grafana'))
  timeline.on(started('shipper'))
  clock.seconds += 1
  const lines = timeline.trace().traceEvents.flatMap(({ ph, name, tid }) => (ph === 'X' ? [`${name} ${tid}`] : []))
  expect(lines).toEqual(['loki 0', 'grafana 1', 'shipper 1'])
})

it('records the pods that this run has created', () => {
  const { timeline } = createTimeline()
  const pod = (name: string, created: number, ready?: number) => ({
    kind: 'Pod' as const,
    metadata: { name, namespace: 'monitoring', creationTimestamp: new Date(created * 1000).toISOString() },
    status: ready
      ? { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: new Date(ready * 1000).toISOString() }] }
      : {},
  })
  timeline.addPods([pod('loki-0', 1003, 1010), pod('before', 900, 910), pod('never-ready', 1004)])
  expect(spans(timeline)).toEqual(['Pods: loki-0, 3, 7'])
})

it('writes the trace to a file, and names a file that cannot be written', () => {
  const file = join(newFolder(), 'up.json')
  const { timeline } = createTimeline()
  timeline.on(started('loki'))
  writeTimeline(file, timeline)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(timeline.trace())
  expect(() => writeTimeline(join(file, 'below.json'))).toThrow(/The timeline cannot be written to .*below[.]json/)
})
