import { Listr, type ListrTask, type ListrTaskWrapper, PRESET_TIMER } from 'listr2'
import type { EngineEvent } from '../pulumi/events.ts'

// Shows one line for each component while `lab up` runs, and how long the component took.

/** Titles of the components, by type, in the order in which they are shown. */
const componentTitles: Record<string, string> = {
  'lab:cluster:Cluster': 'KinD cluster and images',
  'lab:application:Guestbook': 'Guestbook',
  'lab:application:Traffic': 'Traffic generator',
  'lab:application:Visitor': 'Visitor',
  'lab:monitoring:Tetragon': 'Tetragon',
  'lab:policies:Policies': 'TracingPolicies',
  'lab:monitoring:Prometheus': 'Prometheus',
  'lab:monitoring:Loki': 'Loki',
  'lab:monitoring:Shipper': 'Shipper',
  'lab:monitoring:Grafana': 'Grafana and dashboards',
}

/** Returns the type of the component that a resource belongs to: the outermost one in its URN. */
export const componentOf = (urn: string): string | undefined => typesOf(urn).find(type => type in componentTitles)

const typesOf = (urn: string): string[] => urn.split('::')[2]?.split('$') ?? []

// biome-ignore lint/suspicious/noExplicitAny: any renderer
type Task = ListrTaskWrapper<any, any, any>

/** Progress of a component. */
interface Component {
  task?: Task
  /** Names of the resources that Pulumi is working on. */
  active: Set<string>
  finish?: () => void
  fail?: (error: Error) => void
  finishTimer?: NodeJS.Timeout
  started?: boolean
}

/** A component is done when none of its resources has been active for this long. Its next resource follows at once. */
const settleMs = 800

/** Turns the engine's events into one task for each component. */
export class UpProgress {
  readonly #components = new Map<string, Component>(
    Object.keys(componentTitles).map(type => [type, { active: new Set() }]),
  )

  /** Returns the tasks, to be shown side by side. */
  tasks() {
    return [...this.#components].map(([type, component]) => ({
      title: componentTitles[type]!,
      task: (_: unknown, task: Task) =>
        new Promise<void>((resolve, reject) => {
          component.task = task
          component.finish = resolve
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
    if (diagnosticEvent?.severity.startsWith('info') && component.task)
      component.task.output = lastLine(diagnosticEvent.message)
    // A resource that its provider rejects fails without having started.
    if (resOpFailedEvent || diagnosticEvent?.severity === 'error') fail(component, name)
    if (resOutputsEvent) end(component, name, typesOf(urn).length > 1)
    // On a terminal the output is one line that changes. Elsewhere every change would add a line.
    if (process.stdout.isTTY && component.task && component.active.size > 0 && (resourcePreEvent || resOutputsEvent))
      component.task.output = [...component.active].join(', ')
  }

  /**
   * Ends every task: the run is over. A component that never started is not part of this lab, or was not reached.
   * @param failed whether the run ended before everything was created
   */
  close(failed: boolean): void {
    for (const component of this.#components.values()) {
      clearTimeout(component.finishTimer)
      if (failed || !component.started || component.active.size > 0) component.task?.skip()
      component.finish?.()
    }
  }
}

function start(component: Component, name: string): void {
  clearTimeout(component.finishTimer)
  component.active.add(name)
  component.started = true
}

function fail(component: Component, name: string): void {
  clearTimeout(component.finishTimer)
  component.fail?.(new Error(`${name} failed`))
}

/** @param child whether it is a resource of the component, not the component itself, which ends before them */
function end(component: Component, name: string, child: boolean): void {
  component.active.delete(name)
  clearTimeout(component.finishTimer)
  if (component.active.size === 0 && child) component.finishTimer = setTimeout(() => component.finish?.(), settleMs)
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
    } as never,
  })
