import { existsSync } from 'node:fs'
import { lock } from 'proper-lockfile'
import { z } from 'zod'
import { LabError } from '../../../shared/lab-error.ts'
import { labPath } from '../../../shared/paths.ts'
import { readStateFile, writeStateFile } from '../../../shared/state-file.ts'

const time = z.iso.datetime()
const count = z.int().min(0)

const taskSchema = z.object({
  /** When the student came to it. */
  reachedAt: time.optional(),
  /** Checks that failed although something had been tried. */
  tries: count,
  /** Hints that were shown, with a try or when asked for. */
  hints: count,
  /** How often each wrong way was gone. */
  deadEnds: z.record(z.string(), count).optional(),
  passedAt: time.optional(),
  /** The lab did it for the student: it gives no points. */
  solved: z.boolean().optional(),
  answer: z.object({ value: z.string(), at: time }).optional(),
  /** The answer that a try was counted for last: looking at it again is no further try. */
  judged: time.optional(),
})

const exerciseSchema = z.object({
  /** When it was started, or reset: what came before does not count. */
  startedAt: time,
  firstStartedAt: time,
  finishedAt: time.optional(),
  resets: count,
  /** The cluster that it is set up in; undefined when what it had made was taken back. */
  preparedIn: z.string().optional(),
  /** When something was last done for it. */
  seenAt: time.optional(),
  /** Time spent on it up to then, in seconds, without the pauses. */
  workedSeconds: z.number().min(0).optional(),
  tasks: z.record(z.string(), taskSchema),
})

const progressSchema = z.object({
  version: z.literal(1),
  /** The exercise that was started last. */
  current: z.string().optional(),
  exercises: z.record(z.string(), exerciseSchema),
})

/** How far a student is: what `.lab/exercises.json` holds. Times are ISO 8601 in UTC. */
export type Progress = z.infer<typeof progressSchema>
export type ExerciseProgress = z.infer<typeof exerciseSchema>
export type TaskProgress = z.infer<typeof taskSchema>

/** Where progress is kept; `LAB_PROGRESS` puts another file in its place, so that a test leaves the student's alone. */
const file = (): string => process.env.LAB_PROGRESS ?? labPath('exercises.json')

/** @throws LabError for a file that is no progress: it is the student's work, so it is not written over. */
export function readProgress(): Progress {
  if (!existsSync(file())) return { version: 1, exercises: {} }
  const progress = readStateFile(file(), progressSchema)
  if (progress) return progress
  throw new LabError({
    found: `${file()} is damaged`,
    expected: 'the progress that the lab keeps there',
    next: `mv ${file()} ${file()}.broken   (progress starts anew)`,
  })
}

/**
 * Changes the progress, one process at a time: a command in one terminal does not undo that in another.
 * @returns what `change` returns.
 */
export async function updateProgress<T>(change: (progress: Progress) => T): Promise<T> {
  const release = await lock(file(), {
    realpath: false,
    stale: 10_000,
    retries: { retries: 50, minTimeout: 20, maxTimeout: 200 },
  })
  try {
    const progress = readProgress()
    const result = change(progress)
    writeStateFile(file(), progress)
    return result
  } finally {
    await release()
  }
}

/** A task's progress, made where there is none yet. */
export function taskProgress(exercise: ExerciseProgress, id: string): TaskProgress {
  exercise.tasks[id] ??= { tries: 0, hints: 0 }
  return exercise.tasks[id]
}

/** Longer without a command is a pause: half an hour, in milliseconds. */
const pause = 30 * 60_000

/** Counts the time since something was last done, unless that was a pause, or the exercise is finished. */
export function work(exercise: ExerciseProgress, now = new Date()): void {
  if (exercise.finishedAt) return
  const since = exercise.seenAt === undefined ? 0 : now.getTime() - Date.parse(exercise.seenAt)
  const counted = since > 0 && since <= pause ? Math.round(since / 1000) : 0
  exercise.workedSeconds = (exercise.workedSeconds ?? 0) + counted
  exercise.seenAt = now.toISOString()
}
