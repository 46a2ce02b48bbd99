import { describe, expect, it, vi } from 'vitest'
import type { Workload } from '../../../scripts/cluster/workloads.ts'
import { componentOf, UpProgress } from '../../../scripts/lab/up-progress.ts'

const urn = (type: string, name: string) => `urn:pulumi:dev::tetragon-lab::${type}::${name}`
const metadata = (component: string, name: string) => ({
  metadata: { op: 'create', type: 'x:y:Z', urn: urn(`lab:monitoring:${component}$x:y:Z`, name) },
})

/** Starts the tasks with fakes of listr's, by title. */
function start(progress: UpProgress, mode: 'create' | 'existing' = 'create') {
  return new Map(
    progress.tasks(mode).map(({ title, task }) => {
      const shown = {
        output: '',
        skipped: false,
        skip() {
          this.skipped = true
        },
      }
      const outcome = task({}, shown as never).then(
        () => 'done',
        () => 'failed',
      )
      return [title, { shown, outcome }] as const
    }),
  )
}

const workload = (name: string, more: Partial<Workload> = {}): Workload => ({
  namespace: 'monitoring',
  name,
  kind: 'DaemonSet',
  ready: 1,
  wanted: 1,
  ...more,
})

describe('componentOf', () => {
  it('returns the outermost component of a resource', () => {
    expect(componentOf(urn('lab:monitoring:Loki$kubernetes:helm.sh/v3:Release', 'loki'))).toBe('lab:monitoring:Loki')
    expect(
      componentOf(urn('lab:monitoring:Tetragon$lab:monitoring:Replay$kubernetes:apps/v1:DaemonSet', 'replay')),
    ).toBe('lab:monitoring:Tetragon')
  })

  it('returns nothing for a resource outside the components', () => {
    expect(componentOf(urn('kubernetes:core/v1:Namespace', 'monitoring'))).toBeUndefined()
  })
})

describe('UpProgress', () => {
  it('finishes a component when its resources are created and its pods ready, and skips those that never started', async () => {
    const progress = new UpProgress()
    const tasks = start(progress)
    const loki = tasks.get('Loki')!
    const resource = metadata('Loki', 'loki')
    progress.on({ resourcePreEvent: resource })
    progress.on({
      diagnosticEvent: { urn: resource.metadata.urn, severity: 'info', message: 'waiting\nfor pods' },
    })
    expect(loki.shown.output).toBe('for pods')
    progress.on({ resOutputsEvent: resource })
    progress.onWorkloads([workload('loki', { release: 'loki' })])
    expect(await loki.outcome).toBe('done')
    progress.close(false)
    await Promise.all([...tasks.values()].map(({ outcome }) => outcome))
    expect(loki.shown.skipped).toBe(false)
    expect(tasks.get('Prometheus')!.shown.skipped).toBe(true)
  })

  it('does not show a component as done while its pod cannot start, and says why', async () => {
    vi.useFakeTimers()
    const progress = new UpProgress()
    const { shown, outcome } = start(progress).get('Tetragon')!
    let state = 'running'
    void outcome.then(result => (state = result))
    const resource = metadata('Tetragon', 'tetragon')
    progress.on({ resourcePreEvent: resource })
    // Helm considers a DaemonSet with one node ready before its pod runs.
    progress.on({ resOutputsEvent: resource })
    await vi.advanceTimersByTimeAsync(60_000)
    expect(state).toBe('running')
    const trouble = { reason: 'ImagePullBackOff', restarts: 0 }
    const agent = workload('tetragon', { release: 'tetragon', ready: 0 })
    for (const now of [{ ...agent, wanted: 0 }, agent, { ...agent, trouble }]) {
      progress.onWorkloads([now, workload('loki', { release: 'loki' })])
      await vi.advanceTimersByTimeAsync(60_000)
      expect(state).toBe('running')
    }
    expect(shown.output).toBe('tetragon: ImagePullBackOff')
    progress.onWorkloads([{ ...agent, ready: 1 }])
    await vi.advanceTimersByTimeAsync(800)
    expect(state).toBe('done')
    vi.useRealTimers()
  })

  it('leaves a component as done that was done before the run failed', async () => {
    const progress = new UpProgress()
    const { shown, outcome } = start(progress).get('Loki')!
    progress.on({ resourcePreEvent: metadata('Loki', 'loki') })
    progress.on({ resOutputsEvent: metadata('Loki', 'loki') })
    progress.onWorkloads([workload('loki', { release: 'loki' })])
    expect(await outcome).toBe('done')
    progress.close(true)
    expect(shown.skipped).toBe(false)
  })

  it('fails the component whose pod is stuck when the run has failed', async () => {
    const progress = new UpProgress()
    const tasks = start(progress)
    progress.on({ resourcePreEvent: metadata('Grafana', 'grafana') })
    const trouble = { reason: 'ErrImagePull', restarts: 0 }
    progress.onWorkloads([workload('grafana', { release: 'grafana', ready: 0, trouble })])
    progress.close(true)
    expect(await tasks.get('Grafana and dashboards')!.outcome).toBe('failed')
  })

  it.each([
    ['Guestbook', 'frontend', undefined],
    ['Tetragon', 'tetragon-replay', undefined],
    ['Prometheus', 'prometheus-kube-prometheus-stack-prometheus', undefined],
    ['Prometheus', 'kube-prometheus-stack-kube-state-metrics', 'kube-prometheus-stack'],
    ['Shipper', 'opentelemetry-collector-agent', 'opentelemetry-collector'],
    ['Shipper', 'fluent-bit', 'fluent-bit'],
  ])('%s has the workload %s', async (title, name, release) => {
    const progress = new UpProgress()
    const { shown } = start(progress).get(title)!
    progress.onWorkloads([
      workload(name, { ready: 0, trouble: { reason: 'Error', restarts: 2 }, ...(release && { release }) }),
    ])
    expect(shown.output).toBe(`${name}: Error, 2 restarts`)
    progress.close(true)
  })

  it('has no line for a KinD cluster when the cluster is the user’s own', () => {
    expect([...start(new UpProgress()).keys()]).toContain('KinD cluster and images')
    expect([...start(new UpProgress(), 'existing').keys()]).not.toContain('KinD cluster and images')
  })

  it('fails a component that the provider rejects, and shows no other as done when the run has failed', async () => {
    const progress = new UpProgress()
    const tasks = start(progress)
    for (const component of ['Loki', 'Grafana']) progress.on({ resourcePreEvent: metadata(component, 'thing') })
    progress.on({ resOutputsEvent: metadata('Grafana', 'thing') })
    progress.on({
      diagnosticEvent: { urn: metadata('Loki', 'loki').metadata.urn, severity: 'error', message: 'no such chart' },
    })
    progress.close(true)
    expect(await tasks.get('Loki')!.outcome).toBe('failed')
    expect(await tasks.get('Grafana and dashboards')!.outcome).toBe('done')
    expect(tasks.get('Grafana and dashboards')!.shown.skipped).toBe(true)
  })
})
