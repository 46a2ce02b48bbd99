import { setTimeout as sleep } from 'node:timers/promises'
import { asksForAnswer, milliseconds, type Task } from '../definition/schema.ts'
import { make, type Outcome, type Situation } from './run-check.ts'

/** What came of checking a task. */
export interface Attempt extends Outcome {
  task: string
  /** A wrong way that was recognised. */
  deadEnd?: { id: string; says: string }
}

/** How long the lab is waited for where something of it does not answer, in milliseconds. */
const unableFor = 5_000

/** How long a task says that waiting is worthwhile. Beside other checks what the student makes is not waited for: it is there, or was not made. */
function withinOf({ within, check }: Task): Situation['within'] {
  if (within === undefined) return undefined
  const alone = check.all === undefined && check.any === undefined
  return { arrives: milliseconds(within), ...(alone && { made: milliseconds(within) }) }
}

/**
 * Checks a task until it passes, a dead end is recognised, nothing was tried, or waiting is not worthwhile any more.
 * @param options.once look a single time.
 * @param options.limit milliseconds; by default as long as what failed may still come about.
 * @param options.pause milliseconds between two looks.
 */
export async function attempt(
  task: Task,
  situation: Omit<Situation, 'now' | 'task' | 'within'>,
  { once = false, limit, pause = 1000 }: { once?: boolean; limit?: number; pause?: number } = {},
): Promise<Attempt> {
  const began = Date.now()
  for (;;) {
    const now: Situation = { ...situation, task: task.id, within: withinOf(task), now: new Date() }
    const { waits = 0, ...outcome } = await make(task.check, now)
    const said: Attempt = {
      task: task.id,
      ...outcome,
      expected: outcome.untried || outcome.unable ? outcome.expected : (task.expected ?? outcome.expected),
    }
    if (outcome.passed) return said
    // Without an answer there is no wrong one.
    const unasked = outcome.unable !== undefined || (asksForAnswer(task.check) && !situation.answer)
    const deadEnd = unasked ? undefined : await deadEndOf(task, now)
    if (deadEnd) return { ...said, deadEnd, untried: false }
    const until = began + (limit ?? (outcome.unable ? Math.min(waits, unableFor) : waits))
    if (once || outcome.untried || Date.now() + pause > until) return said
    await sleep(pause)
  }
}

/** The first dead end, in the order of the exercise.yaml, that the student is in. */
async function deadEndOf({ deadEnds }: Task, situation: Situation): Promise<Attempt['deadEnd']> {
  const outcomes = await Promise.all(deadEnds.map(({ when }) => make(when, { ...situation, deadEnd: true })))
  const index = outcomes.findIndex(({ passed }) => passed)
  const found = deadEnds[index]
  return found && { id: found.id, says: found.says }
}
