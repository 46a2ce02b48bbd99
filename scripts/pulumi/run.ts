import { randomUUID } from 'node:crypto'
import { createWriteStream, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { labPath, projectDir } from '../../shared/paths.ts'
import { notePulumi } from '../lab/run-lock.ts'
import { endLeft, runVariable } from './processes.ts'

/** What one resource is about, in an engine event. */
interface Metadata {
  op: string
  urn: string
  type: string
}

/** The events of Pulumi's engine that the lab looks at (apitype.EngineEvent). */
export interface EngineEvent {
  resourcePreEvent?: { metadata: Metadata }
  resOutputsEvent?: { metadata: Metadata }
  resOpFailedEvent?: { metadata: Metadata }
  diagnosticEvent?: { urn?: string; message: string; severity: 'info' | 'info#err' | 'warning' | 'error' | 'debug' }
  summaryEvent?: { resourceChanges?: Record<string, number>; durationSeconds: number }
}

/** What came of a run. */
export interface RunResult {
  /** How many resources were created, updated, deleted, left the same. */
  changes: Record<string, number>
  /** Seconds. */
  seconds: number
}

/**
 * Runs `pulumi up` or `pulumi destroy` on the lab's stack, without a preview, and hands on the engine's events as they come.
 * @param options.refresh look first at what is really there, and mend it
 * @param options.replace URNs of resources to make anew
 * All that it prints goes to `.lab/logs/<action>.log`.
 * @throws LabError with what failed: the resource's own error where it is one of ours, else the last message of the engine.
 */
export async function runPulumi(
  action: 'up' | 'destroy',
  {
    env,
    onEvent,
    signal,
    refresh = false,
    replace = [],
  }: {
    env: Record<string, string>
    onEvent?: (event: EngineEvent) => void
    signal?: AbortSignal
    refresh?: boolean
    replace?: string[]
  },
): Promise<RunResult> {
  if (signal?.aborted) throw interruption(action)
  const events = labPath('logs', `${action}.events`)
  const log = labPath('logs', `${action}.log`)
  // What the program says for debugging is in it too, secrets as they are: for the owner alone, and without a name as soon as it is open.
  rmSync(events, { force: true })
  writeFileSync(events, '', { mode: 0o600 })
  const result: RunResult = { changes: {}, seconds: 0 }
  const errors: string[] = []
  const run = randomUUID()
  const running = execa(
    'pulumi',
    [
      ...[action, '--yes', '--skip-preview', '--non-interactive', '--color', 'never', '--event-log', events],
      ...(refresh ? ['--refresh'] : []),
      ...replace.flatMap(urn => ['--replace', urn]),
    ],
    {
      cwd: projectDir,
      // Without it Pulumi does not know the flag (its own Automation API sets it too).
      env: { ...env, PULUMI_DEBUG_COMMANDS: 'true', [runVariable]: run },
      reject: false,
      all: true,
      stdin: 'ignore',
      // Its own group: Ctrl-C reaches this process, which then asks Pulumi to stop once.
      detached: true,
      buffer: true,
    },
  )
  if (running.pid) notePulumi({ pulumi: running.pid, run })
  running.all?.pipe(createWriteStream(log, { mode: 0o600 }))
  const stop = () => void running.kill('SIGINT')
  signal?.addEventListener('abort', stop, { once: true })
  // A second Ctrl-C ends this process at once, and what it started must not live on.
  const killAll = () => {
    try {
      process.kill(-running.pid!, 'SIGKILL')
    } catch {
      // It has ended already.
    }
  }
  process.once('exit', killAll)
  let done = false
  const following = followLines(
    events,
    () => done,
    line => {
      const event = readEvent(line)
      if (!event) return
      if (event.diagnosticEvent?.severity === 'error') errors.push(event.diagnosticEvent.message.trim())
      if (event.summaryEvent) {
        result.changes = event.summaryEvent.resourceChanges ?? {}
        result.seconds = event.summaryEvent.durationSeconds
      }
      onEvent?.(event)
    },
  )
  const finished = await running
  done = true
  await following
  if (finished.signal) await endLeft(run)
  signal?.removeEventListener('abort', stop)
  process.off('exit', killAll)
  if (signal?.aborted) throw interruption(action)
  if (finished.signal)
    throw new LabError({
      found: `pulumi ${action} was killed (${finished.signal})`,
      expected: 'that it may end by itself',
      next: './lab up, or ./lab down: either mends what is half-made',
    })
  if (finished.failed) throw explainFailure(action, errors, String(finished.all ?? ''), log)
  return result
}

/** What is said after Ctrl-C. */
export const interruption = (action: string): LabError =>
  new LabError({
    found: `${action} was interrupted`,
    expected: 'nothing: what is half-made is mended by the next',
    next: './lab up, or ./lab down',
  })

/** An event of the engine; undefined for a line that a full disk cut off. */
function readEvent(line: string): EngineEvent | undefined {
  try {
    return JSON.parse(line) as EngineEvent
  } catch {
    return undefined
  }
}

/** The error that says most: one that the lab's own programs printed, else the engine's first. */
export function explainFailure(action: string, errors: string[], output: string, log: string): LabError {
  for (const text of [...errors, output]) {
    const own = LabError.parse(text)
    if (own) return own
  }
  const meaningful =
    errors.find(text => !/^update failed$|resource operation failed|preview failed/i.test(text)) ?? errors[0]
  const line = (meaningful ?? output.trim().split('\n').at(-1) ?? '').split('\n').slice(0, 3).join(' ').slice(0, 400)
  return new LabError({
    found: `pulumi ${action} failed: ${line}`,
    expected: 'every part to become ready',
    next: `./lab ${action === 'up' ? 'up' : 'down'} again takes up where it stopped; the whole log: ${log}`,
  })
}

/**
 * Reads a file's lines as they are written, until told that no more come. The file is removed with its first line: who writes and who reads have it
 * open, and whatever ends them, nothing of it is left.
 */
export async function followLines(path: string, isDone: () => boolean, onLine: (line: string) => void): Promise<void> {
  let rest = ''
  const decoder = new StringDecoder('utf8')
  const buffer = Buffer.alloc(1 << 16)
  const file = await open(path)
  try {
    while (true) {
      const last = isDone()
      while (true) {
        const { bytesRead } = await file.read(buffer)
        if (bytesRead === 0) break
        rmSync(path, { force: true })
        const lines = (rest + decoder.write(buffer.subarray(0, bytesRead))).split('\n')
        rest = lines.pop()!
        for (const line of lines) if (line) onLine(line)
      }
      if (last) return
      await sleep(100)
    }
  } finally {
    rmSync(path, { force: true })
    await file.close()
  }
}
