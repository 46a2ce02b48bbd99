import { studentName } from '../class/progress-metrics.ts'
import { type Capabilities, doableTasks } from '../definition/capabilities.ts'
import { type Exercise, exerciseNames, findExercise } from '../definition/exercises.ts'
import { type Track, tracks } from '../definition/schema.ts'
import { exerciseState } from '../session/exercise-state.ts'
import type { ExerciseProgress, Progress, TaskProgress } from '../session/progress.ts'

/** The title of each track. */
export const trackTitles: Record<Track, string> = {
  see: 'See what the processes do',
  stop: 'Stop what should not happen',
  run: 'Run it in production',
}

/** A started exercise in the report. */
interface Row {
  exercise: Exercise
  progress: ExerciseProgress
  /** Ids of the tasks that can be done here. */
  possible: Set<string>
  points: number
  most: number
}

/**
 * Returns one page of Markdown with a student's results: a table for each track, with a row for each exercise.
 * @param options.full adds every task with its answer.
 */
export function progressReport(
  progress: Progress,
  capabilities: Capabilities,
  { full = false, now = new Date() }: { full?: boolean; now?: Date } = {},
): string {
  const known = exerciseNames()
  const rows = known.flatMap(name =>
    progress.exercises[name] ? [row(name, progress.exercises[name], capabilities)] : [],
  )
  const points = sum(rows, row => row.points)
  const most = sum(rows, row => row.most)
  const lines = [
    '# Lab report',
    '',
    `- **Name:** ${studentName(capabilities.settings)}`,
    `- **Date:** ${toMinute(now.toISOString())} UTC`,
    `- **Lab:** ${capabilities.source === 'live' ? 'live Tetragon' : 'replayed recording'} (${capabilities.why})`,
    `- **Points:** ${points} of ${most} in ${rows.length} exercise${rows.length === 1 ? '' : 's'} (of ${known.length})`,
    '',
  ]
  if (rows.length === 0) lines.push('You have not started an exercise.', '')
  for (const track of tracks) {
    const ofTrack = rows.filter(({ exercise }) => exercise.track === track)
    if (ofTrack.length > 0) lines.push(...trackTable(track, ofTrack))
  }
  if (rows.length > 0) lines.push(legend, '')
  if (full) for (const each of rows) lines.push(...taskTable(each))
  return lines.join('\n')
}

const legend =
  'Solved: tasks that the lab did; they give no points. Minutes: time spent, without pauses of more than 30 minutes.'

function row(name: string, progress: ExerciseProgress, capabilities: Capabilities): Row {
  const exercise = findExercise(name)
  const choice = doableTasks(exercise, capabilities)
  const { points, most } = exerciseState(exercise, choice, progress)
  return { exercise, progress, possible: new Set(choice.tasks.map(({ id }) => id)), points, most }
}

function trackTable(track: Track, rows: Row[]): string[] {
  return [
    `## ${trackTitles[track]}`,
    '',
    '| Exercise | Points | Tries | Hints | Solved | Minutes | Finished |',
    '| --- | ---: | ---: | ---: | ---: | ---: | --- |',
    ...rows.map(({ exercise: { name, title }, progress, points, most }) => {
      const tasks = Object.values(progress.tasks)
      const cells = [
        `${name.split('-')[0]} ${cell(title)}`,
        `${points}/${most}`,
        sum(tasks, ({ tries }) => tries),
        sum(tasks, ({ hints }) => hints),
        tasks.filter(({ solved }) => solved).length || '',
        progress.workedSeconds === undefined ? '' : Math.ceil(progress.workedSeconds / 60),
        progress.finishedAt ? toMinute(progress.finishedAt) : 'no',
      ]
      return `| ${cells.join(' | ')} |`
    }),
    '',
  ]
}

function taskTable({ exercise, progress, possible }: Row): string[] {
  return [
    `## ${exercise.title}`,
    '',
    exercise.outcome,
    '',
    '| Task | | Tries | Hints | Answer |',
    '| --- | --- | ---: | ---: | --- |',
    ...exercise.tasks.map(({ id, title }) => {
      const task = progress.tasks[id]
      const cells = [
        cell(title),
        possible.has(id) ? state(task) : 'not possible here',
        task?.tries ?? 0,
        task?.hints ?? 0,
        task?.answer ? `\`${cell(task.answer.value)}\`` : '',
      ]
      return `| ${cells.join(' | ')} |`
    }),
    '',
  ]
}

const state = (task: TaskProgress | undefined): string =>
  task?.solved ? 'solved by the lab' : task?.passedAt ? 'done' : 'open'

const sum = <T>(list: T[], value: (each: T) => number): number => list.reduce((total, each) => total + value(each), 0)
const toMinute = (time: string): string => time.slice(0, 16).replace('T', ' ')
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('`', "'").replaceAll('\n', ' ')
