import { LabError } from '../../../shared/lab-error.ts'
import type { CheckContext } from '../check/check-context.ts'
import { connectLabClient, type LabClient } from '../check/lab-client.ts'
import type { Capabilities } from '../definition/capabilities.ts'
import { type Exercise, findExercise } from '../definition/exercises.ts'
import { exerciseFolders, type Folders, workFolder, workPath } from '../definition/folders.ts'
import type { Task } from '../definition/schema.ts'
import { type ExerciseProgress, readProgress, updateProgress } from './progress.ts'

/** What a command on an exercise works with. */
export interface Session {
  exercise: Exercise
  capabilities: Capabilities
  folders: Folders
  /** The lab does the tasks, so they give no points. */
  solving: boolean
  /** Connects to the lab. Called only when something must be checked. */
  connect: () => Promise<LabClient>
}

/** Returns a session on this machine's lab. */
export const newSession = (exercise: Exercise, capabilities: Capabilities): Session => ({
  exercise,
  capabilities,
  folders: exerciseFolders(),
  solving: isSolving(),
  connect: connectLabClient,
})

/** Set for the commands of a solution. */
export const solvingVariables = { LAB_SOLVING: '1' }

/** Tells whether this process is part of a solution that the lab runs. */
export const isSolving = (): boolean => process.env.LAB_SOLVING !== undefined

/**
 * Returns the named exercise, or the one that was started last.
 * @throws LabError when there is none, or it was not started.
 */
export function currentExercise(
  name?: string,
  folders = exerciseFolders(),
): { exercise: Exercise; progress: ExerciseProgress } {
  const current = name ?? readProgress(folders.progress).current
  if (current === undefined)
    throw new LabError({ found: 'You have not started an exercise', next: './lab exercise start 1' })
  const exercise = findExercise(current, folders.labs)
  return { exercise, progress: progressOf({ exercise, folders }) }
}

/** Returns the progress of an exercise. @throws LabError when it was not started. */
export function progressOf({ exercise: { name }, folders }: Pick<Session, 'exercise' | 'folders'>): ExerciseProgress {
  const progress = readProgress(folders.progress).exercises[name]
  if (progress) return progress
  throw new LabError({ found: `You have not started ${name}`, next: `./lab exercise start ${name}` })
}

/** Changes the progress of an exercise that was started. */
export const updateExercise = <T>(
  { exercise: { name }, folders }: Pick<Session, 'exercise' | 'folders'>,
  change: (progress: ExerciseProgress) => T,
): Promise<T> => updateProgress(folders.progress, ({ exercises }) => change(exercises[name]!))

/** Returns a task of an exercise. @throws LabError when the exercise has no such task. */
export function taskOfExercise({ name, tasks }: Exercise, id: string): Task {
  const task = tasks.find(each => each.id === id)
  if (task) return task
  throw new LabError({
    found: `${name} has no task ${id}`,
    expected: `one of ${tasks.map(each => each.id).join(', ')}`,
    next: './lab exercise check',
    exitCode: 2,
  })
}

/** Returns what a check of a task reads. */
export function checkContext(
  { exercise: { name }, folders }: Session,
  progress: ExerciseProgress,
  task: string,
  lab: LabClient,
): Omit<CheckContext, 'now' | 'task' | 'within'> {
  const answer = progress.tasks[task]?.answer
  return {
    lab,
    work: workFolder(folders, name),
    workPath: workPath(name),
    startedAt: new Date(progress.startedAt),
    ...(answer && { answer: { value: answer.value, at: new Date(answer.at) } }),
  }
}
