import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { lock } from 'proper-lockfile'
import { z } from 'zod'
import { LabError } from '../../../shared/lab-error.ts'
import { readStateFile, writeStateFile } from '../../../shared/state-file.ts'
import { exerciseFolders } from '../definition/folders.ts'

const time = z.iso.datetime()
const count = z.int().min(0)

const taskSchema = z.object({
  /** When it became the student's current task. */
  reachedAt: time.optional(),
  /** Failed checks after the student had tried something. */
  tries: count,
  /** Hints shown, after a try or on request. */
  hints: count,
  /** How often the student was in each dead end. */
  deadEnds: z.record(z.string(), count).optional(),
  passedAt: time.optional(),
  /** The lab did the task, so it gives no points. */
  solved: z.boolean().optional(),
  answer: z.object({ value: z.string(), at: time }).optional(),
  /** Time of the answer that was last counted as a try. Checking the same answer again is not another try. */
  judged: time.optional(),
})

const exerciseSchema = z.object({
  /** When it was started or reset. Earlier events do not count. */
  startedAt: time,
  firstStartedAt: time,
  finishedAt: time.optional(),
  resets: count,
  /** The cluster that it is set up in; absent after its changes were undone. */
  preparedIn: z.string().optional(),
  /** When the student last ran a command for it. */
  seenAt: time.optional(),
  /** Seconds of work up to then, without pauses. */
  workedSeconds: z.number().min(0).optional(),
  tasks: z.record(z.string(), taskSchema),
})

const progressSchema = z.object({
  version: z.literal(1),
  /** The exercise that was started last. */
  current: z.string().optional(),
  exercises: z.record(z.string(), exerciseSchema),
})

/** A student's progress: the content of `.lab/exercises.json`. Times are ISO 8601 in UTC. */
export type Progress = z.infer<typeof progressSchema>
export type ExerciseProgress = z.infer<typeof exerciseSchema>
export type TaskProgress = z.infer<typeof taskSchema>

/** Reads the progress. @throws LabError for a damaged file: it holds the student's work, so it is not overwritten. */
export function readProgress(file = exerciseFolders().progress): Progress {
  if (!existsSync(file)) return { version: 1, exercises: {} }
  const progress = readStateFile(file, progressSchema)
  if (progress) return progress
  throw new LabError({
    found: `${file}, which holds the progress of the exercises, is damaged`,
    next: `mv ${file} ${file}.broken   (the progress then starts at zero)`,
  })
}

/**
 * Changes the progress under a lock, because commands in two terminals can run at the same time.
 * @returns the result of `change`.
 */
export async function updateProgress<T>(file: string, change: (progress: Progress) => T): Promise<T> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const release = await lock(file, {
    realpath: false,
    stale: 10_000,
    retries: { retries: 50, minTimeout: 20, maxTimeout: 200 },
  })
  try {
    const progress = readProgress(file)
    const result = change(progress)
    writeStateFile(file, progress)
    return result
  } finally {
    await release()
  }
}

/** Returns the progress of an exercise that has just been started. */
export function newProgress(): ExerciseProgress {
  const now = new Date().toISOString()
  return { startedAt: now, firstStartedAt: now, resets: 0, tasks: {} }
}

/** Returns a task's progress, and adds it when there is none. */
export function taskProgress(exercise: ExerciseProgress, id: string): TaskProgress {
  exercise.tasks[id] ??= { tries: 0, hints: 0 }
  return exercise.tasks[id]
}

/** Notes the first open task as reached. @param tasks those that can be done here, in order. */
export function markCurrentTask(exercise: ExerciseProgress, tasks: readonly { id: string }[]): void {
  const current = tasks.find(({ id }) => !exercise.tasks[id]?.passedAt)
  if (current) taskProgress(exercise, current.id).reachedAt ??= new Date().toISOString()
}

/** A longer time between two commands is a pause. */
const maxWorkGapMs = 30 * 60_000

/** Adds the time since the student's last command, unless that was a pause or the exercise is finished. */
export function addWorkedTime(exercise: ExerciseProgress, now = new Date()): void {
  if (exercise.finishedAt) return
  const sinceMs = exercise.seenAt === undefined ? 0 : now.getTime() - Date.parse(exercise.seenAt)
  const counted = sinceMs > 0 && sinceMs <= maxWorkGapMs ? Math.round(sinceMs / 1000) : 0
  exercise.workedSeconds = (exercise.workedSeconds ?? 0) + counted
  exercise.seenAt = now.toISOString()
}
