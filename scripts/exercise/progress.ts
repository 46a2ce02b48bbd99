import { existsSync } from 'node:fs'
import { lock } from 'proper-lockfile'
import { z } from 'zod'
import { LabError } from '../../stacks/error.ts'
import { labPath } from '../../stacks/paths.ts'
import { keep, readKept } from '../kept.ts'

const time = z.iso.datetime()
const count = z.int().min(0)

const taskSchema = z.object({
  /** When the student came to it. */
  reachedAt: time.optional(),
  /** Checks that failed although something had been tried. */
  tries: count,
  /** Hints that were shown. */
  hints: count,
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
  const progress = readKept(file(), progressSchema)
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
    keep(file(), progress)
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
