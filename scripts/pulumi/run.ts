import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { execa } from 'execa'
import { LabError, type LabErrorLines } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { stackPath } from '../../shared/stack.ts'
import { createEventLog, type EngineEvent, followLines, parseEvent } from './events.ts'
import { killRun, type PulumiRun, runVariable } from './processes.ts'

// Pulumi's Automation API would not do: importing it takes 0.5 s of CPU time, it does not expose the process id that
// recovery from `kill -9` needs, and it keeps the event log, with secrets in clear text, in the temporary folder until
// the run ends.

/** The result of a run. */
export interface RunResult {
  /** How many resources were created, updated, deleted and left unchanged. */
  changes: Record<string, number>
  seconds: number
}

/** Options of a run. */
export interface RunOptions {
  env: Readonly<Record<string, string>>
  /** Receives the process as soon as it runs, so that the caller can record it. */
  onStart?: (run: PulumiRun) => void
  onEvent?: (event: EngineEvent) => void
  /** Interrupts Pulumi, which then finishes what it is doing. */
  signal?: AbortSignal
  /** Whether to compare the state with the cluster first, and repair what differs. */
  refresh?: boolean
  /** URNs of resources to replace. */
  replace?: readonly string[]
}

/**
 * Runs `pulumi up` or `pulumi destroy` on the lab's stack without a preview. `.lab/logs/<action>.log` has its output.
 * @throws LabError with the reason: the error of one of the lab's own programs, else the engine's first message.
 */
export async function runPulumi(action: 'up' | 'destroy', options: RunOptions): Promise<RunResult> {
  const { signal } = options
  if (signal?.aborted) throw interruptedError(action)
  const log = stackPath('logs', `${action}.log`)
  const eventLog = stackPath('logs', `${action}.events`)
  createEventLog(eventLog)
  const run = randomUUID()
  const pulumi = startPulumi(action, eventLog, run, options)
  if (pulumi.pid) options.onStart?.({ pulumi: pulumi.pid, run })
  pulumi.all.pipe(createWriteStream(log, { mode: 0o600 }))
  const interrupt = () => void pulumi.kill('SIGINT')
  signal?.addEventListener('abort', interrupt, { once: true })
  // A second Ctrl-C ends this process at once. Pulumi must not outlive it.
  const killGroup = () => {
    try {
      process.kill(-pulumi.pid!, 'SIGKILL')
    } catch {
      // It has already ended.
    }
  }
  process.once('exit', killGroup)

  const result: RunResult = { changes: {}, seconds: 0 }
  const errors: string[] = []
  const failedResources = new Set<string>()
  let ended = false
  const following = followLines(
    eventLog,
    () => ended,
    line => {
      const event = parseEvent(line)
      if (!event) return
      const { diagnosticEvent, resOpFailedEvent, summaryEvent } = event
      if (diagnosticEvent?.severity === 'error') errors.push(diagnosticEvent.message.trim())
      if (resOpFailedEvent) failedResources.add(resOpFailedEvent.metadata.urn.split('::').at(-1)!)
      if (summaryEvent) {
        result.changes = summaryEvent.resourceChanges ?? {}
        result.seconds = summaryEvent.durationSeconds
      }
      options.onEvent?.(event)
    },
  )
  const exit = await pulumi
  ended = true
  await following
  if (exit.signal) await killRun(run)
  signal?.removeEventListener('abort', interrupt)
  process.off('exit', killGroup)

  if (signal?.aborted) throw interruptedError(action)
  if (exit.signal)
    throw new LabError({ found: `pulumi ${action} was killed (${exit.signal})`, next: commandFor(action) })
  if (exit.failed) throw explainFailure(action, errors, exit.all, log, [...failedResources])
  return result
}

const startPulumi = (
  action: 'up' | 'destroy',
  eventLog: string,
  run: string,
  { env, refresh = false, replace = [] }: RunOptions,
) =>
  execa(
    'pulumi',
    [
      ...[action, '--yes', '--skip-preview', '--non-interactive', '--color', 'never', '--event-log', eventLog],
      // By default Pulumi works on 4 resources per processor at once. Most only wait for their pods.
      ...['--parallel', '64'],
      ...(refresh ? ['--refresh'] : []),
      ...replace.flatMap(urn => ['--replace', urn]),
    ],
    {
      cwd: projectDir,
      // Pulumi accepts --event-log only with PULUMI_DEBUG_COMMANDS, which its own Automation API sets too.
      env: { ...env, PULUMI_DEBUG_COMMANDS: 'true', [runVariable]: run },
      reject: false,
      all: true,
      stdin: 'ignore',
      // In a process group of its own, it receives only the SIGINT from this process, not the terminal's Ctrl-C too.
      detached: true,
    },
  )

const commandFor = (action: string): string => `./lab ${action === 'up' ? 'up' : 'down'}`

/** Returns the error for Ctrl-C. */
export const interruptedError = (action: 'up' | 'down' | 'destroy'): LabError =>
  new LabError({
    found: `\`lab ${action === 'up' ? 'up' : 'down'}\` was interrupted`,
    next: './lab up to continue, or ./lab down. Both repair what is incomplete',
  })

/** Pulumi, or Helm through it, timed out while it waited for pods. The cluster knows why they are not ready. */
export class NotReadyError extends LabError {
  /** What failed, as in `pulumi up failed for grafana and loki`. */
  readonly failure: string

  constructor(failure: string, lines: LabErrorLines) {
    super(lines)
    this.failure = failure
  }
}

/** How Helm and Pulumi's Kubernetes provider report that they timed out. */
const notReady = /deadline exceeded|timed out|failed to fully initialize or become live|failed status/i

/**
 * Returns the most specific error: one that a program of the lab printed, else the engine's first.
 * @param resources the names of the resources that failed.
 * @returns a NotReadyError if the engine timed out while it waited for pods.
 */
export function explainFailure(
  action: string,
  errors: string[],
  output: string,
  log: string,
  resources: readonly string[] = [],
): LabError {
  for (const text of [...errors, output]) {
    const labError = LabError.parse(text)
    if (labError) return labError
  }
  const specific =
    errors.find(text => !/^update failed$|resource operation failed|preview failed/i.test(text)) ?? errors[0]
  const text = (specific ?? output.trim().split('\n').at(-1) ?? '')
    // Go's count is that of one resource, even if several have failed.
    .replace(/^\d+ errors? occurred:\s*/, '')
    .replace(/^\* /, '')
  const line = text.trim().split('\n').slice(0, 3).join(' ').slice(0, 400)
  const failed = `pulumi ${action} failed${resources.length > 1 ? ` for ${listNames(resources)}` : ''}`
  const lines = {
    found: `${failed}: ${line}`,
    next: `${commandFor(action)}, which continues where it stopped. The full log is ${log}`,
  }
  return notReady.test(text) ? new NotReadyError(failed, lines) : new LabError(lines)
}

const listNames = (names: readonly string[]): string => `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
