import { figures, Listr, type ListrTask, type ListrTaskWrapper, PRESET_TIMER } from 'listr2'
import { releases } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { describeTrouble, isReady, type Workload } from '../cluster/workloads.ts'
import type { EngineEvent } from '../pulumi/events.ts'

// Shows one line for each component while `lab up` runs, and how long the component took.

/** What is shown of a component. */
interface ComponentLine {
  title: string
  /** Its Helm releases, and its workloads that belong to none; none for a component without pods. */
  pods: readonly string[]
  /** Shown only with this mode of the cluster. */
  mode?: Settings['cluster']['mode']
}

/** The components, by type, in the order in which they are shown. */
const lines: Record<string, ComponentLine> = {
  'lab:cluster:Cluster': { title: 'KinD cluster and images', pods: [], mode: 'create' },
  'lab:application:Guestbook': { title: 'Guestbook', pods: ['frontend', 'redis-leader', 'redis-follower'] },
  'lab:application:Traffic': { title: 'Traffic generator', pods: ['traffic'] },
  'lab:application:Visitor': { title: 'Visitor', pods: ['visitor'] },
  'lab:monitoring:Tetragon': { title: 'Tetragon', pods: [releases.tetragon, 'tetragon-replay'] },
  'lab:policies:Policies': { title: 'TracingPolicies', pods: [] },
  'lab:monitoring:Prometheus': { title: 'Prometheus', pods: [releases.prometheus] },
  'lab:monitoring:Loki': { title: 'Loki', pods: [releases.loki] },
  'lab:monitoring:Shipper': { title: 'Shipper', pods: [releases.otel, releases.fluentBit] },
  'lab:monitoring:Grafana': { title: 'Grafana and dashboards', pods: [releases.grafana] },
}

/** Returns the type of the component that a resource belongs to: the outermost one in its URN. */
export const componentOf = (urn: string): string | undefined => typesOf(urn).find(type => type in lines)

const typesOf = (urn: string): string[] => urn.split('::')[2]?.split('$') ?? []

/** The operator creates Prometheus's own StatefulSet, so it belongs to no release, but has its name. */
const belongsTo = ({ release, name }: Workload, pods: readonly string[]): boolean =>
  pods.includes(release ?? name) ||
  (!release && name.endsWith(`-${releases.prometheus}-prometheus`) && pods.includes(releases.prometheus))

// biome-ignore lint/suspicious/noExplicitAny: any renderer
type Task = ListrTaskWrapper<any, any, any>

/** Progress of a component. */
interface Component {
  line: ComponentLine
  task?: Task
  /** Names of the resources that Pulumi is working on. */
  active: Set<string>
  /** Whether one of its resources has been created, rather than the component itself, which ends before them. */
  created?: boolean
  workloads: Workload[]
  finish?: () => void
  /** Whether its task is shown as done. */
  finished?: boolean
  fail?: (error: Error) => void
  finishTimer?: NodeJS.Timeout | undefined
  started?: boolean
}

/**
 * Pulumi has finished with a component when none of its resources has been active for this long. Its next resource
 * follows at once.
 */
const settleMs = 800

/** Turns the engine's events and the state of the pods into one task for each component. */
export class UpProgress {
  readonly #components = new Map<string, Component>(
    Object.entries(lines).map(([type, line]) => [type, { line, active: new Set(), workloads: [] }]),
  )

  /** Returns the tasks, to be shown side by side. */
  tasks(mode: Settings['cluster']['mode']) {
    return [...this.#components.values()]
      .filter(({ line }) => (line.mode ?? mode) === mode)
      .map(component => ({
        title: component.line.title,
        task: (_: unknown, task: Task) =>
          new Promise<void>((resolve, reject) => {
            component.task = task
            component.finish = () => {
              component.finished = true
              resolve()
            }
            component.fail = reject
          }),
      }))
  }

  on({ resourcePreEvent, resOutputsEvent, resOpFailedEvent, diagnosticEvent }: EngineEvent): void {
    const urn = (resourcePreEvent ?? resOutputsEvent ?? resOpFailedEvent)?.metadata.urn ?? diagnosticEvent?.urn
    const component = this.#components.get(componentOf(urn ?? '') ?? '')
    if (!urn || !component) return
    const name = urn.split('::').at(-1)!
    if (resourcePreEvent) start(component, name)
    // Pulumi clears its own status line with an empty message.
    const status = diagnosticEvent?.severity.startsWith('info') ? lastLine(diagnosticEvent.message) : ''
    if (status && component.task) component.task.output = status
    // A resource that its provider rejects fails without having started.
    if (resOpFailedEvent || diagnosticEvent?.severity === 'error') fail(component, `${name} failed`)
    if (resOutputsEvent) end(component, name, typesOf(urn).length > 1)
    // On a terminal the output is one line that changes. Elsewhere every change would add a line.
    if (process.stdout.isTTY && component.task && component.active.size > 0 && (resourcePreEvent || resOutputsEvent))
      component.task.output = [...component.active].join(', ')
  }

  /** Takes the current state of the pods. A component with pods is done when they are ready. */
  onWorkloads(workloads: readonly Workload[]): void {
    for (const component of this.#components.values()) {
      const before = troubleOf(component)
      component.workloads = workloads.filter(workload => belongsTo(workload, component.line.pods))
      const now = troubleOf(component)
      if (now && now !== before && component.task) component.task.output = now
      finishIfDone(component)
    }
  }

  /**
   * Ends every task: the run is over. A component that never started is not part of this lab, or was not reached.
   * @param failed whether the run ended before everything was created
   */
  close(failed: boolean): void {
    for (const component of this.#components.values()) {
      stopTimer(component)
      const trouble = troubleOf(component)
      if (failed && trouble) fail(component, trouble)
      // What is done stays so, even when the run has failed.
      if (!component.finished && (failed || !isDone(component))) component.task?.skip()
      component.finish?.()
    }
  }
}

function stopTimer(component: Component): void {
  clearTimeout(component.finishTimer)
  component.finishTimer = undefined
}

function start(component: Component, name: string): void {
  stopTimer(component)
  component.active.add(name)
  component.started = true
}

function fail(component: Component, message: string): void {
  stopTimer(component)
  component.fail?.(new Error(message))
}

/** @param child whether it is a resource of the component, not the component itself, which ends before them */
function end(component: Component, name: string, child: boolean): void {
  component.active.delete(name)
  component.created ||= child
  stopTimer(component)
  finishIfDone(component)
}

function finishIfDone(component: Component): void {
  if (component.finishTimer || !component.created || !isDone(component)) return
  component.finishTimer = setTimeout(() => {
    component.finishTimer = undefined
    // A pod may have become unready in the meantime.
    if (isDone(component)) component.finish?.()
  }, settleMs)
}

const isDone = ({ started, active, line, workloads }: Component): boolean =>
  started === true &&
  active.size === 0 &&
  (line.pods.length === 0 || (workloads.length > 0 && workloads.every(isReady)))

/** Returns the first workload that is in trouble, as in `tetragon: ImagePullBackOff`. */
function troubleOf({ workloads }: Component): string | undefined {
  const workload = workloads.find(each => !isReady(each) && each.trouble)
  return workload?.trouble && `${workload.name}: ${describeTrouble(workload.trouble)}`
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1)!

/**
 * Creates the list of steps: lines that change on a terminal, one line for each event elsewhere, nothing with `--json`.
 */
export const createSteps = <State extends object>(
  // biome-ignore lint/suspicious/noExplicitAny: any renderer
  steps: ListrTask<State, any, any>[],
  { silent }: { silent: boolean },
) =>
  new Listr<State, 'default' | 'simple' | 'silent', 'simple' | 'silent'>(steps, {
    concurrent: false,
    // With its own handlers, the first Ctrl-C would end this process and kill Pulumi instead of interrupting it.
    registerSignalListeners: false,
    renderer: silent ? 'silent' : process.stdout.isTTY && process.stdout.columns >= 40 ? 'default' : 'simple',
    fallbackRenderer: silent ? 'silent' : 'simple',
    rendererOptions: {
      timer: PRESET_TIMER,
      collapseSubtasks: false,
      showErrorMessage: false,
      // By default listr shows a failed task with subtasks as if it were running.
      icon: { FAILED_WITH_SUBTASKS: figures.cross },
    } as never,
  })
