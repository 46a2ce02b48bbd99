import { join } from 'node:path'
import { LabError } from '../../../shared/lab-error.ts'
import { type Attempt, checkTask } from '../check/check-task.ts'
import { readWorkFiles } from '../check/lab-client.ts'
import { doableTasks, type TaskChoice } from '../definition/capabilities.ts'
import { asksForAnswer } from '../definition/check-schema.ts'
import { workFolder } from '../definition/folders.ts'
import type { Task } from '../definition/schema.ts'
import { type CheckRound, type ExerciseState, exerciseState, type Hint, hintAt, hintIsDue } from './exercise-state.ts'
import { addWorkedTime, type ExerciseProgress, markCurrentTask, type TaskProgress, taskProgress } from './progress.ts'
import { checkContext, progressOf, type Session, solvingVariables, taskOfExercise, updateExercise } from './session.ts'
import { runCommands } from './shell.ts'

// What a student does during an exercise: check, answer, ask for a hint, have a task solved.

/**
 * Checks the tasks that are not done. The current task is retried for a while; later ones are checked once, because
 * some students work ahead. A passed task stays passed: a later task can undo what an earlier one asked for.
 * @param options.task checks only this task, done or not.
 * @param options.again also checks what has passed.
 */
export async function checkExercise(
  session: Session,
  { task: only, again = false }: { task?: string; again?: boolean } = {},
): Promise<ExerciseState> {
  const { exercise, capabilities } = session
  const choice = doableTasks(exercise, capabilities)
  if (only !== undefined) requireDoable(session, choice, only)
  const before = progressOf(session)
  const tasks = choice.tasks.filter(({ id }) =>
    only === undefined ? again || !before.tasks[id]?.passedAt : id === only,
  )
  // A task counts from the next check on, even if this one passes the tasks before it: the student has just done those.
  const attempts = (await checkTasks(session, tasks, before, again)).map((attempt, index) =>
    attempt.passed || canHaveTried(session, choice.tasks, before, tasks[index]!)
      ? attempt
      : { ...attempt, untried: true },
  )
  const round = { attempts, currentTask: tasks[0]?.id }
  const progress = await recordRound(session, choice.tasks, round)
  const { cluster } = capabilities
  const moved = cluster !== undefined && progress.preparedIn !== undefined && progress.preparedIn !== cluster
  return { ...exerciseState(exercise, choice, progress, round), ...(moved && { moved }) }
}

function requireDoable({ exercise }: Session, { left }: TaskChoice, id: string): void {
  taskOfExercise(exercise, id)
  const why = left.find(({ task }) => task.id === id)?.why
  if (why) throw new LabError({ found: `Task ${id} cannot be done here: ${why}`, next: './lab exercise check' })
}

async function checkTasks(
  session: Session,
  tasks: Task[],
  progress: ExerciseProgress,
  again: boolean,
): Promise<Attempt[]> {
  if (tasks.length === 0) return []
  const lab = await session.connect()
  return Promise.all(
    tasks.map((task, index) =>
      checkTask(task, checkContext(session, progress, task.id, lab), { once: index > 0 && !again }),
    ),
  )
}

/**
 * Returns whether the student can have tried a task. A task that asks for an answer recognizes that on its own. Any other
 * one can find a dead end in the untouched lab, or in the work on an earlier task, before the student has reached it.
 */
function canHaveTried(session: Session, doable: Task[], progress: ExerciseProgress, task: Task): boolean {
  if (asksForAnswer(task.check)) return true
  const earlier = doable.slice(0, doable.indexOf(task))
  return earlier.every(({ id }) => progress.tasks[id]?.passedAt) && !hasUnchangedFile(session, task)
}

/** Returns whether the task is about a file that the exercise provides and the student has not changed. */
function hasUnchangedFile({ exercise, folders }: Session, { check: { policy } }: Task): boolean {
  if (policy?.in !== 'work') return false
  const textIn = (folder: string) => readWorkFiles(folder).find(({ name }) => name === policy.file)?.text
  const provided = textIn(join(exercise.folder, 'files'))
  return provided !== undefined && provided === textIn(workFolder(folders, exercise.name))
}

const recordRound = (
  session: Session,
  tasks: Task[],
  { attempts, currentTask }: CheckRound,
): Promise<ExerciseProgress> =>
  updateExercise(session, progress => {
    addWorkedTime(progress)
    for (const attempt of attempts) {
      const ofTask = taskProgress(progress, attempt.task)
      if (ofTask.passedAt) continue
      if (attempt.passed) recordPass(ofTask, session)
      else if (isTry(attempt, ofTask, currentTask))
        recordTry(attempt, ofTask, tasks.find(({ id }) => id === attempt.task)!)
    }
    markCurrentTask(progress, tasks)
    if (tasks.every(({ id }) => progress.tasks[id]?.passedAt)) progress.finishedAt ??= new Date().toISOString()
    return structuredClone(progress)
  })

function recordPass(progress: TaskProgress, { solving }: Session): void {
  progress.passedAt = new Date().toISOString()
  if (solving) progress.solved = true
}

function recordTry(attempt: Attempt, progress: TaskProgress, { hints }: Task): void {
  progress.tries++
  progress.judged = progress.answer?.at
  if (attempt.deadEnd) {
    const { id } = attempt.deadEnd
    progress.deadEnds = { ...progress.deadEnds, [id]: (progress.deadEnds?.[id] ?? 0) + 1 }
  }
  if (hintIsDue(attempt, progress)) progress.hints = Math.min(progress.hints + 1, hints.length)
}

/**
 * Tells whether a failure counts as a try: the student tried something, the lab could be read, and the answer was not
 * counted before. For a later task only an answer in a dead end counts.
 */
function isTry(attempt: Attempt, { answer, judged }: TaskProgress, currentTask: string | undefined): boolean {
  if (attempt.untried || attempt.unable !== undefined) return false
  if (attempt.task !== currentTask && attempt.deadEnd === undefined) return false
  return !(answer && judged === answer.at)
}

/** Saves an answer. `checkExercise` judges it. */
export async function saveAnswer(
  session: Pick<Session, 'exercise' | 'folders'>,
  id: string,
  value: string,
): Promise<void> {
  const task = taskOfExercise(session.exercise, id)
  if (!asksForAnswer(task.check))
    throw new LabError({
      found: `Task ${id} does not ask for an answer`,
      expected: 'an answer for a task that asks for one',
      next: './lab exercise check',
      exitCode: 2,
    })
  await updateExercise(session, progress => {
    addWorkedTime(progress)
    taskProgress(progress, id).answer = { value, at: new Date().toISOString() }
  })
}

/** Returns the next hint of a task, by default of the current one; undefined when every task is done. */
export async function takeHint(
  session: Session,
  id?: string,
): Promise<({ task: string; title: string } & Hint) | undefined> {
  const { exercise, capabilities } = session
  const before = progressOf(session)
  const task =
    id === undefined
      ? doableTasks(exercise, capabilities).tasks.find(each => !before.tasks[each.id]?.passedAt)
      : taskOfExercise(exercise, id)
  if (!task) return undefined
  const number = await updateExercise(session, progress => {
    addWorkedTime(progress)
    const ofTask = taskProgress(progress, task.id)
    ofTask.hints = Math.min(ofTask.hints + 1, task.hints.length)
    return ofTask.hints
  })
  return { task: task.id, title: task.title, ...hintAt(task, number)! }
}

/** Does a task for the student with the commands of its solution, and checks it. */
export async function solveTask(session: Session, task: Task): Promise<{ printed: string; checked: ExerciseState }> {
  const { exercise, folders } = session
  const printed = await runCommands({ name: exercise.name, folders }, `the solution of ${task.id}`, task.solve, {
    env: solvingVariables,
  })
  return { printed, checked: await checkExercise({ ...session, solving: true }, { task: task.id }) }
}
