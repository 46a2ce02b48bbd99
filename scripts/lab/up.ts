import { LabError } from '../../shared/lab-error.ts'
import { readPolicy } from '../../shared/policy-file.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { checkRecording } from '../../stacks/monitoring/recording.ts'
import { nodeState } from '../cluster/kind.ts'
import { type Context, loadContext } from '../context/context.ts'
import { requireHealthy } from '../doctor/preflight.ts'
import { kernelDecision } from '../kernel/decision.ts'
import { chooseEventSource } from '../kernel/event-source.ts'
import { droppedReleases, repair } from '../pulumi/repair.ts'
import { interruption, type RunResult, runPulumi } from '../pulumi/run.ts'
import { ensureStack } from '../pulumi/stack.ts'
import { stateResources } from '../pulumi/state.ts'
import { chartsOf, ensureCharts } from '../supplies/charts.ts'
import { firstData } from './first-data.ts'
import { firstPolicies } from './first-policies.ts'
import { withLabLock } from './run-lock.ts'
import { listr, UpProgress } from './up-progress.ts'
import { forgetUp, inputsDigest, rememberUp, type Since, sinceLastUp } from './up-to-date.ts'

/** What `lab up` has done. */
export interface UpResult {
  settings: Settings
  source: 'live' | 'replay'
  /** Why this source. */
  why: string
  /** From the start of the command, in seconds. */
  seconds: number
  changes: Record<string, number>
  mended: string[]
  /** Charts that had no digest in the lock and are trusted from now on as they came. */
  remembered: string[]
}

/**
 * Stands the lab up and returns when there is something to see in it.
 * @throws LabError for whatever is the user's to mend. What is half-made then, the next `up` or `down` mends.
 */
export async function upLab({ silent }: { silent: boolean }): Promise<UpResult> {
  const began = performance.now()
  return withLabLock('up', async () => {
    const interrupt = new AbortController()
    // The first Ctrl-C asks Pulumi to stop in order, and ends at once whatever else is under way; the second does not wait for it.
    const onSignal = () => (interrupt.signal.aborted ? process.exit(130) : interrupt.abort())
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
    try {
      return await steps(began, silent, interrupt.signal)
    } finally {
      process.off('SIGINT', onSignal)
      process.off('SIGTERM', onSignal)
    }
  })
}

async function steps(began: number, silent: boolean, signal: AbortSignal): Promise<UpResult> {
  let context!: Context
  let mended: string[] = []
  let remembered: string[] = []
  let result: RunResult = { changes: {}, seconds: 0 }
  let source!: 'live' | 'replay'
  let why = ''
  let inputs = ''
  let since: Since = { is: 'changed', broken: [] }
  const progress = new UpProgress()

  const prepare = async () => {
    context = await loadContext()
    const { settings, lock, env } = context
    // The program reads them too, but by then a node is being made.
    for (const name of settings.policies.apply) readPolicy(name, settings.policies.apply)
    const exists = settings.cluster.mode === 'existing' || (await nodeState(settings.cluster.name)) === 'running'
    const [charts, decision] = await Promise.all([
      ensureCharts(lock, chartsOf(settings)),
      kernelDecision({ cluster: settings.cluster }),
      // A lab that runs has passed them, and holds its own ports.
      exists ? undefined : requireHealthy(settings, lock),
    ])
    remembered = charts
      .filter(chart => chart.trust === 'first seen' && chart.fetched)
      .map(chart => `chart ${chart.name} ${chart.version}: no digest was known; this one is remembered`)
    source = await chooseEventSource(settings, decision)
    if (source === 'replay') checkRecording()
    why = settings.tetragon.source === 'auto' ? decision.why : 'as set by tetragon.source'
    mended = await repair(settings, env)
    await ensureStack(env)
    inputs = inputsDigest(settings, lock, source)
    since = exists ? await sinceLastUp(inputs) : { is: 'changed', broken: [] }
    if (since.is === 'drifted')
      mended.push(...since.broken.map(({ release, why }) => `installed ${release} anew: ${why}`))
  }

  const deploy = async () => {
    forgetUp()
    const gone = droppedReleases(mended)
    const broken = since.broken.map(({ release }) => release).filter(release => !gone.includes(release))
    const replace = stateResources()
      .filter(({ type, urn }) => type === 'kubernetes:helm.sh/v3:Release' && broken.includes(urn.split('::').at(-1)!))
      .map(({ urn }) => urn)
    let failed = true
    try {
      result = await runPulumi('up', {
        env: context.env,
        signal,
        onEvent: event => progress.on(event),
        refresh: since.is === 'drifted',
        replace,
      })
      await rememberUp(inputs)
      failed = false
    } finally {
      progress.close(failed)
    }
  }

  /** Of a step that makes nothing: an interruption does not wait for its end. */
  const interruptible = <T>(step: Promise<T>): Promise<T> =>
    Promise.race([
      step,
      new Promise<never>((_, reject) => {
        const stop = () => reject(interruption('up'))
        if (signal.aborted) stop()
        else signal.addEventListener('abort', stop, { once: true })
      }),
    ])

  let failure: unknown
  // The whole error comes at the end, once.
  const keep = (error: unknown) => {
    failure ??= error
    throw error instanceof LabError ? new Error(error.found) : error
  }
  await listr(
    [
      { title: 'Look at the machine, fetch what is missing', task: () => interruptible(prepare()).catch(keep) },
      {
        title: 'Stand up the lab',
        skip: () => since.is === 'same' && 'Nothing to do: everything is as it was stood up',
        task: (_, task) =>
          task.newListr([{ title: 'Pulumi', task: () => deploy().catch(keep) }, ...progress.tasks()], {
            concurrent: true,
            exitOnError: false,
          }),
      },
      {
        title: 'Wait for the first data',
        skip: () => failure !== undefined,
        task: (_, task) => interruptible(firstData(context.settings, line => (task.output = line))).catch(keep),
      },
      {
        title: 'Wait until the agent has loaded the policies',
        skip: () => failure !== undefined || (source === 'replay' && 'No agent runs: the events are a recording'),
        task: () => firstPolicies(context.settings.policies.apply).catch(keep),
      },
    ],
    { silent },
  )
    .run()
    .catch((error: unknown) => {
      failure ??= error
    })
  if (failure) throw failure
  return {
    settings: context.settings,
    source,
    why,
    seconds: (performance.now() - began) / 1000,
    changes: since.is === 'same' ? { same: stateResources().length } : result.changes,
    mended,
    remembered,
  }
}
