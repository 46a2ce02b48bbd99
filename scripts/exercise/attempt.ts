import { setTimeout as sleep } from 'node:timers/promises'
import { make, type Outcome, type Situation } from './check.ts'
import { asksForAnswer, type Check, kindOf, milliseconds, type Task } from './grammar.ts'

/** What came of checking a task. */
export interface Attempt extends Outcome {
  task: string
  /** A wrong way that was recognised. */
  deadEnd?: { id: string; says: string }
}

/** How long a check is repeated by default, in seconds: what must still arrive takes time, what the student wrote is there. */
const patience: Record<keyof Check, number> = {
  promql: 20,
  logql: 10,
  kube: 8,
  run: 4,
  policy: 4,
  agent: 20,
  answer: 0,
  query: 0,
  given: 0,
  all: 0,
  any: 0,
  not: 0,
}

function patienceOf(check: Check): number {
  const inner = [...(check.all ?? []), ...(check.any ?? []), ...(check.not ? [check.not] : [])]
  return check.policy?.in === 'work' ? 0 : Math.max(patience[kindOf(check)], ...inner.map(patienceOf))
}

/** How long a task's check is repeated, in milliseconds. */
export const limitOf = (task: Task): number => (task.within ? milliseconds(task.within) : patienceOf(task.check) * 1000)

/**
 * Checks a task until it passes, a dead end is recognised, nothing was tried, or the time is up.
 * @param options.once look a single time.
 * @param options.limit milliseconds; by default what the task says.
 * @param options.pause milliseconds between two looks.
 */
export async function attempt(
  task: Task,
  situation: Omit<Situation, 'now' | 'task'>,
  { once = false, limit = limitOf(task), pause = 1000 }: { once?: boolean; limit?: number; pause?: number } = {},
): Promise<Attempt> {
  const until = Date.now() + (once ? 0 : limit)
  for (;;) {
    const now: Situation = { ...situation, task: task.id, now: new Date() }
    const outcome = await make(task.check, now)
    const said: Attempt = {
      task: task.id,
      ...outcome,
      expected: outcome.untried ? outcome.expected : (task.expected ?? outcome.expected),
    }
    if (outcome.passed) return said
    // Without an answer there is no wrong one.
    const deadEnd = asksForAnswer(task.check) && !situation.answer ? undefined : await deadEndOf(task, now)
    if (deadEnd) return { ...said, deadEnd, untried: false }
    if (outcome.untried || Date.now() + pause > until) return said
    await sleep(pause)
  }
}

/** The first dead end, in the order of the lab.yaml, that the student is in. */
async function deadEndOf({ deadEnds }: Task, situation: Situation): Promise<Attempt['deadEnd']> {
  const outcomes = await Promise.all(deadEnds.map(({ when }) => make(when, { ...situation, deadEnd: true })))
  const index = outcomes.findIndex(({ passed }) => passed)
  const found = deadEnds[index]
  return found && { id: found.id, says: found.says }
}
