import { describe, expect, it } from 'vitest'
import { componentOf, UpProgress } from '../../../scripts/lab/up-progress.ts'

const urn = (type: string, name: string) => `urn:pulumi:dev::tetragon-lab::${type}::${name}`
const metadata = (component: string, name: string) => ({
  metadata: { op: 'create', type: 'x:y:Z', urn: urn(`lab:monitoring:${component}$x:y:Z`, name) },
})

/** Starts the tasks with fakes of listr's, by title. */
function start(progress: UpProgress) {
  return new Map(
    progress.tasks().map(({ title, task }) => {
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
  it('finishes a component when its resources are created, and skips those that never started', async () => {
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
    expect(await loki.outcome).toBe('done')
    progress.close(false)
    await Promise.all([...tasks.values()].map(({ outcome }) => outcome))
    expect(loki.shown.skipped).toBe(false)
    expect(tasks.get('Prometheus')!.shown.skipped).toBe(true)
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
