import type { Listr, ListrTaskWrapper } from 'listr2'
import { LabError } from '../../shared/lab-error.ts'
import { prometheusCrds, releases } from '../../shared/names.ts'
import { readLabPolicy } from '../../shared/policy-file.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { checkRecording } from '../../stacks/monitoring/replay-files.ts'
import { nodeState } from '../cluster/node-container.ts'
import { findStuckWorkloads, stuckError } from '../cluster/stuck-workloads.ts'
import { isReady, readWorkloadsAndPods, type Workload } from '../cluster/workloads.ts'
import { type Context, loadContext } from '../context/context.ts'
import { requireHealthy } from '../doctor/preflight.ts'
import { kernelDecision } from '../kernel/decision.ts'
import { eventSource, eventSourceReason } from '../kernel/event-source.ts'
import { type Repairs, repair } from '../pulumi/repair.ts'
import { interruptedError, NotReadyError, runPulumi } from '../pulumi/run.ts'
import { ensureStack } from '../pulumi/stack.ts'
import { stateResources } from '../pulumi/state.ts'
import { ensureCharts, requiredCharts } from '../supplies/charts.ts'
import { requireClusterPrerequisites } from './cluster-prerequisites.ts'
import { recordPulumi, withLabLock } from './run-lock.ts'
import { Timeline, writeTimeline } from './timeline.ts'
import { createSteps, UpProgress } from './up-progress.ts'
import { clearUpRecord, compareWithLastUp, inputsDigest, type LastUpComparison, recordUp } from './up-to-date.ts'
import { waitForData } from './wait-for-data.ts'
import { waitForPolicies } from './wait-for-policies.ts'
import { waitForWorkloads, watchWorkloads } from './wait-for-workloads.ts'

/** Describes what `lab up` did. */
export interface UpResult {
  settings: Settings
  source: 'live' | 'replay'
  /** Why the lab uses this source. */
  why: string
  /** Since the start of the command. */
  seconds: number
  changes: Record<string, number>
  /** Lists the repairs, one line each. */
  mended: string[]
  /** Charts without a digest in the lock file, whose downloaded digest is remembered. */
  remembered: string[]
}

interface UpOptions {
  silent: boolean
  /** File for a trace of what took how long. */
  timeline?: string
  load?: () => Promise<Context>
}

/** Carries values from step to step: each step sets the fields that later ones read. */
class UpState {
  readonly signal: AbortSignal
  readonly progress = new UpProgress()
  readonly timeline = new Timeline()
  context!: Context
  /** Whether the cluster was running when the command started. */
  running!: boolean
  source!: 'live' | 'replay'
  why!: string
  inputs!: string
  repairs: Repairs = { done: [], deletedReleases: [] }
  comparison: LastUpComparison = { result: 'changed', broken: [] }
  changes: Record<string, number> = {}
  remembered: string[] = []
  /** The first error. The steps after it are skipped. */
  failure: unknown

  constructor(signal: AbortSignal) {
    this.signal = signal
  }
}

/**
 * Starts the lab, or brings it in line with the settings, and returns when there is data to see.
 * @param options.silent show no progress
 * @throws LabError for everything that the user can fix. The next `up` or `down` repairs what is incomplete then.
 */
export async function upLab({ silent, timeline, load = loadContext }: UpOptions): Promise<UpResult> {
  const startedAt = performance.now()
  // A file that cannot be written is reported before anything starts.
  if (timeline !== undefined) writeTimeline(timeline)
  return withLabLock('up', () =>
    withInterruption(async signal => {
      const state = new UpState(signal)
      try {
        await runSteps(state, { silent, load })
      } finally {
        if (timeline !== undefined) await finishTimeline(state, timeline)
      }
      return {
        settings: state.context.settings,
        source: state.source,
        why: state.why,
        seconds: (performance.now() - startedAt) / 1000,
        changes: state.changes,
        mended: state.repairs.done,
        remembered: state.remembered,
      }
    }),
  )
}

async function finishTimeline({ timeline, context }: UpState, file: string): Promise<void> {
  try {
    if (context) timeline.addPods((await readWorkloadsAndPods(context)).pods)
  } catch (error) {
    // Without a cluster that responds, the trace has no pods.
    if (!(error instanceof LabError)) throw error
  }
  writeTimeline(file, timeline)
}

/** Passes a signal that the first Ctrl-C aborts, so that Pulumi can stop in order. The second one ends this process. */
async function withInterruption<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const onSignal = () => (controller.signal.aborted ? process.exit(130) : controller.abort())
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  try {
    return await work(controller.signal)
  } finally {
    process.off('SIGINT', onSignal)
    process.off('SIGTERM', onSignal)
  }
}

async function runSteps(state: UpState, { silent, load }: Required<Pick<UpOptions, 'silent' | 'load'>>): Promise<void> {
  const steps = createSteps<UpState>(
    [
      {
        title: 'Check the machine and download what is missing',
        task: step(async state => {
          const { timeline } = state
          await timeline.measure('load settings and programs', () => loadInputs(state, load))
          await timeline.measure('check the machine', () => checkMachine(state))
          await timeline.measure('repair', () => repairLab(state))
          await timeline.measure('compare with the last up', () => compare(state))
        }),
      },
      {
        title: 'Start the lab',
        skip: ({ comparison }) => comparison.result === 'same' && 'Nothing has changed since the last `lab up`',
        task: ({ progress, context }, task) => {
          const components = progress.tasks(context.settings.cluster.mode)
          return failWithSubtasks(
            task.newListr([{ title: 'Create the resources', task: uninterruptedStep(deploy) }, ...components], {
              concurrent: true,
              exitOnError: false,
            }),
          )
        },
      },
      {
        title: 'Wait for the first data',
        skip: ({ failure }) => failure !== undefined,
        task: step(({ context, timeline }, task) =>
          timeline.measure('wait for the first data', () =>
            waitForData(
              context,
              names => (task.output = names),
              (name, work) => timeline.measure(`first data: ${name}`, work),
            ),
          ),
        ),
      },
      {
        title: 'Wait until the agent has loaded the policies',
        skip: ({ failure, source }) =>
          failure !== undefined || (source === 'replay' && 'No agent is running: the events are a replay'),
        task: step(({ context, timeline }) =>
          timeline.measure('wait for the policies', () => waitForPolicies(context, context.settings.policies.apply)),
        ),
      },
    ],
    { silent },
  )
  await steps.run(state).catch((error: unknown) => {
    state.failure ??= error
  })
  if (state.failure) throw state.failure
}

/** Without this, listr shows a task as done whose subtasks have failed. */
// biome-ignore lint/suspicious/noExplicitAny: any renderer
export function failWithSubtasks<Subtasks extends Listr<any, any, any>>(subtasks: Subtasks): Subtasks {
  const run = subtasks.run.bind(subtasks)
  subtasks.run = async state => {
    const result = await run(state)
    if (result.failure) throw result.failure
    return result
  }
  return subtasks
}

// biome-ignore lint/suspicious/noExplicitAny: any renderer
type Step = (state: UpState, task: ListrTaskWrapper<UpState, any, any>) => Promise<void>

/** A step that an interruption ends at once. */
const step = (run: Step): Step => uninterruptedStep((state, task) => untilAborted(run(state, task), state.signal))

/** Records the error of a step, which the command prints at its end. The list of steps shows the first line. */
const uninterruptedStep =
  (run: Step): Step =>
  async (state, task) => {
    try {
      await run(state, task)
    } catch (error) {
      state.failure ??= error
      throw error instanceof LabError ? new Error(error.found) : error
    }
  }

const untilAborted = <T>(work: Promise<T>, signal: AbortSignal): Promise<T> =>
  Promise.race([
    work,
    new Promise<never>((_, reject) => {
      const abort = () => reject(interruptedError('up'))
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
    }),
  ])

async function loadInputs(state: UpState, load: () => Promise<Context>): Promise<void> {
  state.context = await load()
  const { settings } = state.context
  const { apply } = settings.policies
  // The program reads the policies too, but only after it has started to create a node.
  for (const name of apply) readLabPolicy(name, apply)
  if (settings.cluster.mode === 'existing') await requireClusterPrerequisites(state.context)
  state.running = settings.cluster.mode === 'existing' || (await nodeState(settings.cluster.name)) === 'running'
}

async function checkMachine(state: UpState): Promise<void> {
  const { settings, lock, env } = state.context
  const [charts, decision] = await Promise.all([
    ensureCharts(lock, requiredCharts(settings)),
    kernelDecision({ cluster: settings.cluster, env }),
    // A running lab has passed these checks, and uses the ports itself.
    state.running ? undefined : requireHealthy(settings, lock),
  ])
  state.remembered = charts
    .filter(chart => chart.trust === 'first seen' && chart.fetched)
    .map(
      ({ name, version }) => `The lock file has no digest for chart ${name} ${version}: remembered the downloaded one`,
    )
  state.source = eventSource(settings, decision)
  state.why = eventSourceReason(settings, decision)
  if (state.source === 'replay') checkRecording()
}

async function repairLab(state: UpState): Promise<void> {
  state.repairs = await repair(state.context)
  await ensureStack(state.context.env)
}

async function compare(state: UpState): Promise<void> {
  const { settings, lock } = state.context
  state.inputs = inputsDigest(settings, lock, state.source)
  if (state.running) state.comparison = await compareWithLastUp(state.context, state.inputs)
  const { result, broken } = state.comparison
  if (result === 'same') state.changes = { same: stateResources().length }
  if (result === 'drifted')
    state.repairs.done.push(...broken.map(({ release, why }) => `reinstalled ${release}: ${why}`))
}

const deploy: Step = async (state, task) => {
  const { context, progress, signal, timeline } = state
  clearUpRecord()
  let failed = true
  const created = new AbortController()
  // Not awaited at the end: a question to a cluster that hangs must not delay the command.
  watchWorkloads(context, workloads => progress.onWorkloads(workloads), { signal: created.signal }).catch(
    (error: unknown) => {
      state.failure ??= error
    },
  )
  try {
    state.changes = await timeline.measure('pulumi up', () => createResources(state))
    created.abort()
    const report = reportPods(progress, text => (task.output = text))
    const workloads = await timeline.measure('wait for the pods', () => waitForWorkloads(context, report, { signal }))
    if (signal.aborted) throw interruptedError('up')
    recordUp(workloads, state.inputs)
    failed = false
  } finally {
    created.abort()
    progress.close(failed)
  }
}

/** Returns a function that passes on the state of the pods, and shows which ones the command waits for. */
export function reportPods(
  progress: Pick<UpProgress, 'onWorkloads'>,
  show: (text: string) => void,
): (workloads: Workload[]) => void {
  let shown = ''
  return workloads => {
    progress.onWorkloads(workloads)
    const names = workloads.filter(workload => !isReady(workload)).map(({ name }) => name)
    const text = `waiting for the pods of ${names.join(', ')}`
    // Where the output is not a terminal, each change adds a line.
    if (names.length > 0 && text !== shown) show(text)
    shown = text
  }
}

async function createResources(state: UpState): Promise<Record<string, number>> {
  const { context, progress, comparison, signal, timeline } = state
  try {
    const { changes } = await runPulumi('up', {
      env: context.env,
      signal,
      onStart: recordPulumi,
      onEvent: event => {
        progress.on(event)
        timeline.on(event)
      },
      refresh: comparison.result === 'drifted',
      replace: releasesToReplace(state),
    })
    return changes
  } catch (error) {
    throw error instanceof NotReadyError ? await explainNotReady(context, error) : error
  }
}

/** Returns the error that names the pod that did not become ready, and why. */
async function explainNotReady(context: Context, error: NotReadyError): Promise<unknown> {
  try {
    const [first, ...others] = await findStuckWorkloads(context)
    return first?.why ? stuckError([first, ...others], error.failure) : error
  } catch (problem) {
    if (problem instanceof LabError) return error
    throw problem
  }
}

/** Returns the URNs of the broken releases. Pulumi itself notices those whose record was deleted. */
function releasesToReplace({ comparison, repairs }: UpState): string[] {
  const broken = new Set(comparison.broken.map(({ release }) => release))
  for (const release of repairs.deletedReleases) broken.delete(release)
  // Somebody may have deleted the CRDs, and with them all objects of their kinds.
  if (broken.has(releases.prometheus)) broken.add(prometheusCrds)
  const types = ['kubernetes:helm.sh/v3:Release', 'command:local:Command']
  return stateResources()
    .filter(({ type, urn }) => types.includes(type) && broken.has(urn.split('::').at(-1)!))
    .map(({ urn }) => urn)
}
