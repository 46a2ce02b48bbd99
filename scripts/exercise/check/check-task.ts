import { setTimeout as sleep } from 'node:timers/promises'
import { timeLimit } from '../../../shared/time-limit.ts'
import { asksForAnswer, milliseconds } from '../definition/check-schema.ts'
import type { Task } from '../definition/schema.ts'
import type { CheckContext, CheckResult } from './check-context.ts'
import type { CommandResult, LabClient } from './lab-client.ts'
import { runCheck } from './run-check.ts'

/** The result of checking a task. */
export interface Attempt extends CheckResult {
  task: string
  /** The dead end that was recognized. */
  deadEnd?: { id: string; says: string }
}

/** How long a lab that does not respond is retried. */
const unableRetryMs = 5_000

interface Retry {
  /** Checks a single time. */
  once?: boolean
  /** How long to retry; default as long as the failed check can still pass. */
  limitMs?: number
  intervalMs?: number
}

/** Checks a task until it passes, a dead end is recognized, nothing was tried, or a retry is no longer worthwhile. */
export async function checkTask(
  task: Task,
  context: Omit<CheckContext, 'now' | 'task' | 'within'>,
  { once = false, limitMs, intervalMs = 1000 }: Retry = {},
): Promise<Attempt> {
  const startedAt = Date.now()
  for (;;) {
    const { waits, ...attempt } = await checkTaskOnce(task, context)
    if (once || attempt.passed || attempt.deadEnd || attempt.untried) return attempt
    const retryMs = timeLimit(limitMs ?? (attempt.unable ? Math.min(waits, unableRetryMs) : waits))
    if (Date.now() + intervalMs > startedAt + retryMs) return attempt
    await sleep(intervalMs)
  }
}

async function checkTaskOnce(
  task: Task,
  context: Omit<CheckContext, 'now' | 'task' | 'within'>,
): Promise<Attempt & { waits: number }> {
  const now = { ...context, lab: runOnce(context.lab), task: task.id, within: retryOf(task), now: new Date() }
  const { waits = 0, ...result } = await runCheck(task.check, now)
  const ownWords = result.untried || result.unable
  const attempt = {
    task: task.id,
    ...result,
    expected: ownWords ? result.expected : (task.expected ?? result.expected),
    waits,
  }
  if (result.passed || result.unable !== undefined) return attempt
  // Without an answer there is no wrong one.
  if (asksForAnswer(task.check) && !context.answer) return attempt
  const deadEnd = await findDeadEnd(task, now)
  return deadEnd ? { ...attempt, deadEnd, untried: false } : attempt
}

/**
 * Returns how long a retry is worthwhile, as the task says. A check of objects beside other checks keeps its own,
 * shorter time, because objects do not arrive late.
 */
function retryOf({ within, check }: Task): CheckContext['within'] {
  if (within === undefined) return undefined
  const single = check.all === undefined && check.any === undefined
  return { data: milliseconds(within), ...(single && { objects: milliseconds(within) }) }
}

/** Returns the first dead end in the order of exercise.yaml whose check passes. */
async function findDeadEnd({ deadEnds }: Task, context: CheckContext): Promise<Attempt['deadEnd']> {
  const results = await Promise.all(deadEnds.map(({ when }) => runCheck(when, { ...context, deadEnd: true })))
  const found = deadEnds[results.findIndex(({ passed }) => passed)]
  return found && { id: found.id, says: found.says }
}

/** Returns a client that runs each command once: a task and its dead ends often read the same program's output. */
function runOnce(lab: LabClient): LabClient {
  const results = new Map<string, Promise<CommandResult>>()
  return {
    ...lab,
    run: (command, options) => {
      const key = `${options.timeout} ${command}`
      const result = results.get(key) ?? lab.run(command, options)
      results.set(key, result)
      return result
    },
  }
}
