import type { Attempt } from '../check/check-task.ts'
import type { TaskChoice } from '../definition/capabilities.ts'
import type { Exercise } from '../definition/exercises.ts'
import type { Task } from '../definition/schema.ts'
import type { ExerciseProgress, TaskProgress } from './progress.ts'

/** A task in the result of `lab exercise check`. */
export interface TaskState {
  id: string
  title: string
  points: number
  /**
   * `passed`: by the student; `solved`: by the lab; `failed`: in this check; `unable`: the lab could not be read, which
   * is not a try; `open`: a later task; `left`: cannot be done here.
   */
  state: 'passed' | 'solved' | 'failed' | 'unable' | 'open' | 'left'
  tries: number
  attempt?: Attempt
  hint?: Hint
  /** For `left`: the reason. */
  why?: string
}

/** A hint and its number, from 1. */
export interface Hint {
  number: number
  of: number
  text: string
}

/** The tasks of an exercise and their points. */
export interface ExerciseState {
  exercise: string
  title: string
  tasks: TaskState[]
  points: number
  /** Points of the tasks that can be done here. */
  most: number
  finished: boolean
  /** The exercise was set up in another cluster. */
  moved?: boolean
}

/** A check of some tasks. */
export interface CheckRound {
  attempts: Attempt[]
  /** The task that the student is at. */
  currentTask?: string
}

/** Returns the state of an exercise, after a check of some tasks. */
export function exerciseState(
  exercise: Exercise,
  { tasks, left }: TaskChoice,
  progress: ExerciseProgress | undefined,
  round: CheckRound = { attempts: [] },
): ExerciseState {
  const passed = tasks.filter(({ id }) => progress?.tasks[id]?.passedAt)
  return {
    exercise: exercise.name,
    title: exercise.title,
    tasks: exercise.tasks.map(task => {
      const why = left.find(each => each.task.id === task.id)?.why
      return taskState(task, progress?.tasks[task.id], why, round)
    }),
    points: pointsOf(passed.filter(({ id }) => !progress?.tasks[id]?.solved)),
    most: pointsOf(tasks),
    finished: tasks.length > 0 && passed.length === tasks.length,
  }
}

function taskState(
  task: Task,
  progress: TaskProgress | undefined,
  why: string | undefined,
  { attempts, currentTask }: CheckRound,
): TaskState {
  const { id, title, points } = task
  const common = { id, title, points, tries: progress?.tries ?? 0 }
  if (why) return { ...common, state: 'left', why }
  const attempt = attempts.find(each => each.task === id)
  if (progress?.passedAt && attempt?.passed !== false)
    return { ...common, state: progress.solved ? 'solved' : 'passed', attempt }
  const isCurrent = id === currentTask
  if (attempt?.unable && isCurrent) return { ...common, state: 'unable', attempt }
  if (attempt && (isCurrent || (attempt.deadEnd && !attempt.untried)))
    return { ...common, state: 'failed', attempt, hint: hintAfter(task, progress, attempt) }
  return { ...common, state: 'open', attempt }
}

const hintAfter = (task: Task, progress: TaskProgress | undefined, attempt: Attempt): Hint | undefined =>
  progress && !attempt.untried && hintIsDue(attempt, progress) ? hintAt(task, progress.hints) : undefined

/** Tells whether a failed try earns a hint. A dead end is explained the first time; only its repetition earns one. */
export const hintIsDue = ({ deadEnd }: Attempt, { deadEnds }: TaskProgress): boolean =>
  deadEnd === undefined || (deadEnds?.[deadEnd.id] ?? 0) > 1

/** Returns a task's hint by its number, from 1. */
export const hintAt = ({ hints }: Task, number: number): Hint | undefined =>
  number < 1 ? undefined : { number, of: hints.length, text: hints[number - 1]! }

/** Returns the sum of the tasks' points. */
export const pointsOf = (tasks: readonly { points: number }[]): number =>
  tasks.reduce((total, { points }) => total + points, 0)
