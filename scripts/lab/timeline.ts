import { writeFileSync } from 'node:fs'
import { LabError } from '../../shared/lab-error.ts'
import type { PodState } from '../cluster/workloads.ts'
import type { EngineEvent } from '../pulumi/events.ts'

// Records what `lab up` does and when, for `lab up --timeline FILE`. The file is in Chrome's trace format, which
// https://ui.perfetto.dev and chrome://tracing open:
// https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

/** The groups of the trace, in the order in which they are shown. */
const groups = ['Steps', 'Cluster', 'Images', 'Resources', 'Pods'] as const
type Group = (typeof groups)[number]

interface Span {
  group: Group
  name: string
  /** Milliseconds since 1970. */
  from: number
  /** Absent while it lasts. */
  to?: number
}

/** A complete event, or a name of a process or thread, of Chrome's trace format. Times are in microseconds. */
interface TraceEvent {
  ph: 'X' | 'M'
  name: string
  pid: number
  tid: number
  ts: number
  dur?: number
  args?: Record<string, string | number>
}

/** Progress of the command that creates the cluster: one image, or a phase that lasts until the next one. */
const imageLine = /^(pulling|loading|pulled|loaded) (\S+)$/

export class Timeline {
  readonly #now: () => number
  readonly #spans: Span[] = []
  readonly #startedAt: number
  #ended = false

  constructor(now: () => number = Date.now) {
    this.#now = now
    this.#startedAt = now()
  }

  /** Records how long `work` takes, whether it succeeds or fails. */
  async measure<T>(name: string, work: () => Promise<T>): Promise<T> {
    this.#begin('Steps', name)
    try {
      return await work()
    } finally {
      this.#end('Steps', name)
    }
  }

  /** Records resources, and the images and phases that the cluster's command reports as progress. */
  on({ resourcePreEvent, resOutputsEvent, resOpFailedEvent, diagnosticEvent }: EngineEvent): void {
    const name = (event: { metadata: { urn: string } }) => event.metadata.urn.split('::').at(-1)!
    if (resourcePreEvent) this.#begin('Resources', name(resourcePreEvent))
    if (resOutputsEvent) this.#end('Resources', name(resOutputsEvent))
    if (resOpFailedEvent) this.#end('Resources', name(resOpFailedEvent))
    if (!diagnosticEvent?.urn?.includes('lab:cluster:Cluster')) return
    for (const line of diagnosticEvent.message.split('\n')) this.#progress(line.trim())
  }

  #progress(line: string): void {
    const [, step, image] = imageLine.exec(line) ?? []
    if (step && image) {
      const name = `${step.startsWith('pull') ? 'pull' : 'load'} ${image}`
      if (step.endsWith('ing')) this.#begin('Images', name)
      else this.#end('Images', name)
    } else if (line) {
      this.#endAll('Cluster')
      this.#begin('Cluster', line)
    }
  }

  /** Records each pod from its creation until it was ready. Kubernetes gives these times in whole seconds. */
  addPods(pods: readonly PodState[]): void {
    for (const { metadata, status } of pods) {
      const ready = status.conditions?.find(({ type, status }) => type === 'Ready' && status === 'True')
      if (!metadata.creationTimestamp || !ready?.lastTransitionTime) continue
      const from = Date.parse(metadata.creationTimestamp)
      // A pod of an earlier `lab up`.
      if (from < this.#startedAt - 1000) continue
      this.#spans.push({ group: 'Pods', name: metadata.name, from, to: Date.parse(ready.lastTransitionTime) })
    }
  }

  #begin(group: Group, name: string): void {
    if (!this.#ended) this.#spans.push({ group, name, from: this.#now() })
  }

  #end(group: Group, name: string): void {
    const span = this.#spans.findLast(span => span.group === group && span.name === name && span.to === undefined)
    if (span) span.to = this.#now()
    if (group === 'Resources' && name.endsWith('-node')) this.#endAll('Cluster')
  }

  #endAll(group: Group): void {
    for (const span of this.#spans) if (span.group === group) span.to ??= this.#now()
  }

  /** Returns the trace. What has not ended yet ends now. */
  trace(): { traceEvents: TraceEvent[]; displayTimeUnit: 'ms' } {
    this.#ended = true
    const now = this.#now()
    const traceEvents: TraceEvent[] = groups.map((group, pid) => ({
      ph: 'M',
      name: 'process_name',
      pid,
      tid: 0,
      ts: 0,
      args: { name: group, sort_index: pid },
    }))
    for (const [pid, group] of groups.entries()) {
      /** When the last span of each line ends. Spans of one line may not overlap. */
      const lines: number[] = []
      const spans = this.#spans.filter(span => span.group === group).sort((a, b) => a.from - b.from)
      for (const { name, from, to = now } of spans) {
        const free = lines.findIndex(end => end <= from)
        const tid = free < 0 ? lines.length : free
        lines[tid] = to
        const ts = (from - this.#startedAt) * 1000
        traceEvents.push({ ph: 'X', name, pid, tid, ts, dur: (to - from) * 1000 })
      }
    }
    return { traceEvents, displayTimeUnit: 'ms' }
  }
}

/**
 * Writes a trace, or an empty one before there is anything to record.
 * @throws LabError when the file cannot be written.
 */
export function writeTimeline(file: string, timeline?: Timeline): void {
  try {
    writeFileSync(file, `${JSON.stringify(timeline?.trace() ?? { traceEvents: [] })}\n`)
  } catch (error) {
    throw new LabError({
      found: `The timeline cannot be written to ${file}: ${(error as Error).message}`,
      next: './lab up --timeline timeline.json',
    })
  }
}
