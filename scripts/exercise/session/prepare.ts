import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../../shared/lab-error.ts'
import { labPath } from '../../../shared/paths.ts'
import { checkTask } from '../check/check-task.ts'
import { type Capabilities, doableTasks } from '../definition/capabilities.ts'
import { asksForAnswer, leafChecks, readsStudentFiles } from '../definition/check-schema.ts'
import { type Exercise, findExercise } from '../definition/exercises.ts'
import { workFolder } from '../definition/folders.ts'
import type { Task } from '../definition/schema.ts'
import {
  addWorkedTime,
  type ExerciseProgress,
  markCurrentTask,
  newProgress,
  type Progress,
  readProgress,
  updateProgress,
} from './progress.ts'
import { checkContext, type Session } from './session.ts'
import { runCommands } from './shell.ts'

// Starting and resetting an exercise: the cluster, the student's files and the progress.

/** The result of starting an exercise. */
export interface StartResult {
  /** It had been started before. */
  resumed: boolean
  /** The previous exercise, when its changes to the cluster were undone. */
  tidied?: string
  /** Tasks that are done but whose result is missing from the cluster. Later tasks may need it. */
  gone: Task[]
}

/**
 * Starts or resumes an exercise. Undoes what the previous exercise changed in the cluster, and runs the setup where it
 * has not run yet: running it again could undo the student's work.
 * @throws LabError when the exercise cannot be done here.
 */
export async function startExercise(session: Session): Promise<StartResult> {
  const { exercise, capabilities, folders } = session
  const { tasks, left } = doableTasks(exercise, capabilities)
  if (tasks.length === 0)
    throw new LabError({ found: `${exercise.name} cannot be done here: ${left[0]!.why}`, next: './lab exercise list' })
  const before = readProgress(folders.progress)
  const known = before.exercises[exercise.name]
  const isSetUp = known?.preparedIn === clusterOf(capabilities)
  const tidied = await undoPreviousExercise(session, before)
  copyExerciseFiles(session)
  if (!isSetUp) await runSetup(session)
  const progress = await recordStart(session, tasks, tidied)
  const gone = known && !isSetUp && !known.finishedAt ? await missingResults(session, tasks, progress) : []
  return { resumed: known !== undefined, ...(tidied && { tidied }), gone }
}

/**
 * Resets an exercise: undoes its changes to the cluster, and the progress of its tasks.
 * @returns the folder that the student's files were moved to, if there were any.
 */
export async function resetExercise(session: Session): Promise<string | undefined> {
  const { exercise } = session
  await undoChanges(session, exercise)
  const kept = moveWorkAside(session)
  copyExerciseFiles(session)
  await runSetup(session)
  await recordReset(session)
  return kept
}

/** Runs the commands that undo an exercise's changes to the cluster. */
export async function undoChanges(session: Pick<Session, 'folders'>, { name, reset }: Exercise): Promise<void> {
  if (reset) await runCommands({ ...session, name }, 'the reset', reset)
}

/** Moves the student's files to a folder in `.lab`. @returns that folder, if there were any files. */
export function moveWorkAside({ exercise: { name }, folders }: Pick<Session, 'exercise' | 'folders'>) {
  const work = workFolder(folders, name)
  if (!existsSync(work) || readdirSync(work).length === 0) return undefined
  const kept = labPath('work', `${name}-${new Date().toISOString().replaceAll(/[:.]/g, '')}`)
  // Copied, because `.lab` can be on another disk.
  cpSync(work, kept, { recursive: true })
  rmSync(work, { recursive: true })
  return kept
}

const clusterOf = ({ cluster = 'unknown' }: Capabilities): string => cluster

/** Undoes the changes of the exercise before this one. @returns its name, when there was something to undo. */
async function undoPreviousExercise(
  { exercise, folders }: Session,
  { current }: Progress,
): Promise<string | undefined> {
  if (current === undefined || current === exercise.name) return undefined
  const previous = findIfPresent(current, folders.labs)
  if (!previous?.reset) return undefined
  await undoChanges({ folders }, previous)
  return current
}

/** An exercise can have been removed from labs/, or renamed. */
function findIfPresent(name: string, labs: string): Exercise | undefined {
  try {
    return findExercise(name, labs)
  } catch {
    return undefined
  }
}

/** Copies the exercise's files into the student's folder, and keeps those that are there. */
function copyExerciseFiles({ exercise: { name, folder }, folders }: Session): void {
  const work = workFolder(folders, name)
  mkdirSync(work, { recursive: true })
  const files = join(folder, 'files')
  if (existsSync(files)) cpSync(files, work, { recursive: true, force: false })
}

async function runSetup({ exercise: { name, setup }, folders }: Session): Promise<void> {
  if (setup) await runCommands({ name, folders }, 'the setup', setup)
}

const recordStart = (
  { exercise: { name }, capabilities, folders }: Session,
  tasks: Task[],
  tidied: string | undefined,
): Promise<ExerciseProgress> =>
  updateProgress(folders.progress, all => {
    if (tidied) delete all.exercises[tidied]?.preparedIn
    all.exercises[name] ??= newProgress()
    const progress = all.exercises[name]
    // The time since the student left this exercise belongs to another one.
    if (all.current !== name) delete progress.seenAt
    all.current = name
    addWorkedTime(progress)
    progress.preparedIn = clusterOf(capabilities)
    markCurrentTask(progress, tasks)
    return structuredClone(progress)
  })

const recordReset = ({ exercise, capabilities, folders }: Session): Promise<void> =>
  updateProgress(folders.progress, all => {
    const before = all.exercises[exercise.name]
    const fresh = newProgress()
    const progress: ExerciseProgress = {
      ...fresh,
      firstStartedAt: before?.firstStartedAt ?? fresh.startedAt,
      resets: (before?.resets ?? 0) + 1,
      preparedIn: clusterOf(capabilities),
      ...(before?.workedSeconds !== undefined && { workedSeconds: before.workedSeconds }),
    }
    all.exercises[exercise.name] = progress
    all.current = exercise.name
    addWorkedTime(progress)
    markCurrentTask(progress, doableTasks(exercise, capabilities).tasks)
  })

/**
 * Returns the passed tasks whose result is missing from the cluster. A later task can undo an earlier one on purpose,
 * so nothing is missing while the last of them still passes.
 */
async function missingResults(session: Session, tasks: Task[], progress: ExerciseProgress): Promise<Task[]> {
  const inCluster = tasks.filter(
    ({ id, check }) =>
      progress.tasks[id]?.passedAt && !asksForAnswer(check) && !leafChecks(check).every(readsStudentFiles),
  )
  if (inCluster.length === 0) return []
  const lab = await session.connect()
  const attempts = await Promise.all(
    inCluster.map(task => checkTask(task, checkContext(session, progress, task.id, lab), { once: true })),
  )
  if (attempts.at(-1)!.passed) return []
  return inCluster.filter((_, index) => !attempts[index]!.passed && !attempts[index]!.unable)
}
