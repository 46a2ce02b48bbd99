import { Listr, type ListrTaskWrapper, PRESET_TIMER } from 'listr2'
import type { EngineEvent } from '../pulumi/run.ts'

// What `lab up` shows while it works: one line a part, with what it is at, and at the end how long it took.

/** The parts as a person thinks of them, by the type of their component, in the order in which they are shown. */
const parts: Record<string, string> = {
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

/** Which part a resource belongs to: the outermost component of the lab in its URN. */
export function partOf(urn: string): string | undefined {
  const types = urn.split('::')[2]?.split('$') ?? []
  return types.find(type => type in parts)
}

// biome-ignore lint/suspicious/noExplicitAny: the renderer's type is of no interest here
type Task = ListrTaskWrapper<any, any, any>

interface Part {
  task?: Task
  /** Names of the resources that are being worked on. */
  open: Set<string>
  finish?: () => void
  fail?: (error: Error) => void
  settled?: NodeJS.Timeout
  begun?: boolean
}

/** A part is done when nothing of it has been worked on for this long, in milliseconds: its next resource follows at once. */
const quiet = 800

/** Turns the engine's events into the state of the parts. */
export class UpProgress {
  readonly #parts = new Map<string, Part>(Object.keys(parts).map(type => [type, { open: new Set() }]))

  /** One task a part, to be shown side by side. */
  tasks() {
    return [...this.#parts].map(([type, part]) => ({
      title: parts[type]!,
      task: (_: unknown, task: Task) =>
        new Promise<void>((resolve, reject) => {
          part.task = task
          part.finish = resolve
          part.fail = reject
        }),
    }))
  }

  on(event: EngineEvent): void {
    const begun = event.resourcePreEvent?.metadata
    const ended = event.resOutputsEvent?.metadata
    const failed = event.resOpFailedEvent?.metadata
    const said = event.diagnosticEvent
    const urn = (begun ?? ended ?? failed ?? said)?.urn
    const type = urn && partOf(urn)
    const part = type ? this.#parts.get(type) : undefined
    if (!urn || !part) return
    const name = urn.split('::').at(-1)!
    if (begun) {
      clearTimeout(part.settled)
      part.open.add(name)
      part.begun = true
    }
    if (said?.severity.startsWith('info') && part.task) part.task.output = lastLine(said.message)
    // A resource that its provider refuses to look at fails without having begun.
    if (failed || said?.severity === 'error') {
      clearTimeout(part.settled)
      part.fail?.(new Error(`${name} failed`))
    }
    if (ended) {
      part.open.delete(name)
      clearTimeout(part.settled)
      if (part.open.size === 0 && type !== urn.split('::')[2]) part.settled = setTimeout(() => part.finish?.(), quiet)
    }
    // On a terminal it is one moving line; elsewhere each would be a line of its own.
    if (process.stdout.isTTY && part.task && part.open.size > 0 && (begun || ended))
      part.task.output = [...part.open].join(', ')
  }

  /**
   * Ends all that is still open: the run is over. What never began is not part of this lab, or was not reached.
   * @param failed whether it ended before all was made
   */
  close(failed: boolean): void {
    for (const part of this.#parts.values()) {
      clearTimeout(part.settled)
      if (failed || !part.begun || part.open.size > 0) part.task?.skip()
      part.finish?.()
    }
  }
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1)!

/** How tasks are shown: moving lines on a terminal, one line an event elsewhere, nothing with `--json`. */
export function listr(tasks: ConstructorParameters<typeof Listr>[0], { silent }: { silent: boolean }): Listr {
  return new Listr(tasks, {
    concurrent: false,
    // It would end this process at the first Ctrl-C, and what it started would be killed instead of stopped.
    registerSignalListeners: false,
    renderer: silent ? 'silent' : process.stdout.isTTY && process.stdout.columns >= 40 ? 'default' : 'simple',
    fallbackRenderer: silent ? 'silent' : 'simple',
    rendererOptions: {
      timer: PRESET_TIMER,
      collapseSubtasks: false,
      showErrorMessage: false,
    } as never,
  }) as Listr
}
