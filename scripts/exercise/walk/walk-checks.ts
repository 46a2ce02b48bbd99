import { type Attempt, checkTask } from '../check/check-task.ts'
import type { LabClient } from '../check/lab-client.ts'
import type { DeadEnd, Task } from '../definition/schema.ts'
import { checkExercise } from '../session/check-exercise.ts'
import { checkContext, progressOf, type Session } from '../session/session.ts'
import { StepFailure, type StepRecorder } from './walk-step.ts'

/** The test of one exercise. */
export interface Walk {
  session: Session
  lab: LabClient
  recorder: StepRecorder
}

/** Returns what a check of a task reads during the walk. */
export const walkContext = ({ session, lab }: Walk, task: Task) =>
  checkContext(session, progressOf(session), task.id, lab)

/** Expects that the check of a task fails now. */
export const expectFailure = (walk: Walk, task: Task, when: string): Promise<boolean> =>
  walk.recorder.run(`${task.id} fails ${when}`, async () =>
    requireFailure(await checkTask(task, walkContext(walk, task), { once: true })),
  )

/** Expects that the check of a task passes soon. */
export const expectPass = ({ session, recorder }: Walk, task: Task, when: string): Promise<boolean> =>
  recorder.run(`${task.id} passes ${when}`, async () => {
    const { tasks } = await checkExercise(session, { task: task.id })
    return requirePass(tasks.find(({ id }) => id === task.id)!.attempt!)
  })

/** Expects that a dead end is recognized. Skips it when exercise.yaml has no commands that lead into it. */
export async function expectDeadEnd(
  walk: Walk,
  task: Task,
  deadEnd: DeadEnd,
  enter: (commands: string) => Promise<void>,
  check: () => Promise<Attempt> = () => checkTask(task, walkContext(walk, task)),
): Promise<void> {
  const what = `dead end ${deadEnd.id} of ${task.id}`
  const commands = deadEnd.try
  if (commands === undefined) return walk.recorder.skip(what, 'its exercise.yaml has no commands that lead into it')
  await walk.recorder.run(what, async () => {
    await enter(commands)
    const attempt = await check()
    requireFailure(attempt)
    if (attempt.deadEnd?.id === deadEnd.id) return attempt.found
    throw new StepFailure(attempt.deadEnd ? `taken for ${attempt.deadEnd.id}` : `not recognized: ${attempt.found}`)
  })
}

/** @returns what the failed check found. */
export function requireFailure({ passed, found }: Attempt): string {
  if (passed) throw new StepFailure(`it passes: ${found}`)
  return found
}

/** @returns what the check found. */
export function requirePass({ passed, found, expected, deadEnd }: Attempt): string {
  if (passed) return found
  throw new StepFailure(`${found}; expected ${expected}${deadEnd ? ` (dead end ${deadEnd.id})` : ''}`)
}
