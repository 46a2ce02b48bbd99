import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { lock } from 'proper-lockfile'
import { LabError } from '../../stacks/error.ts'
import { labPath } from '../../stacks/paths.ts'

/** How far a student is: what `.lab/exercises.json` holds. Times are ISO 8601 in UTC. */
export interface Progress {
  version: 1
  /** The exercise that was started last. */
  current?: string
  exercises: Record<string, ExerciseProgress>
}

export interface ExerciseProgress {
  /** When it was started, or reset: what came before does not count. */
  startedAt: string
  firstStartedAt: string
  finishedAt?: string
  resets: number
  /** The cluster that it is set up in; undefined when what it had made was taken back. */
  preparedIn?: string
  /** When something was last done for it. */
  seenAt?: string
  /** Time spent on it up to then, in seconds, without the pauses. */
  workedSeconds?: number
  tasks: Record<string, TaskProgress>
}

export interface TaskProgress {
  /** When the student came to it. */
  reachedAt?: string
  /** Checks that failed although something had been tried. */
  tries: number
  /** Hints that were shown, with a try or when asked for. */
  hints: number
  /** How often each wrong way was gone. */
  deadEnds?: Record<string, number>
  passedAt?: string
  /** The lab did it for the student: it gives no points. */
  solved?: boolean
  answer?: { value: string; at: string }
  /** The answer that a try was counted for last: looking at it again is no further try. */
  judged?: string
}

/** Where progress is kept; `LAB_PROGRESS` puts another file in its place, so that a test leaves the student's alone. */
const file = (): string => process.env.LAB_PROGRESS ?? labPath('exercises.json')

/** @throws LabError for a file that is no progress. */
export function readProgress(): Progress {
  if (!existsSync(file())) return { version: 1, exercises: {} }
  try {
    const progress = JSON.parse(readFileSync(file(), 'utf8')) as Progress
    if (progress.version !== 1 || typeof progress.exercises !== 'object') throw new Error('no version 1')
    return progress
  } catch (cause) {
    throw new LabError({
      found: `${file()} cannot be read: ${(cause as Error).message}`,
      expected: 'the progress that the lab keeps there',
      next: `mv ${file()} ${file()}.broken   (progress starts anew)`,
      cause,
    })
  }
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
    const part = `${file()}.${process.pid}.part`
    writeFileSync(part, `${JSON.stringify(progress, null, 2)}\n`, { mode: 0o600 })
    renameSync(part, file())
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
