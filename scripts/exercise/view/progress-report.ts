import { studentName } from '../class/progress-metrics.ts'
import { type Capabilities, doableTasks } from '../definition/capabilities.ts'
import { type Exercise, exerciseNames, findExercise } from '../definition/exercises.ts'
import { type Track, tracks } from '../definition/schema.ts'
import type { ExerciseProgress, Progress, TaskProgress } from '../session/progress.ts'

/** What each track is called. */
export const trackTitles: Record<Track, string> = {
  see: 'See what the processes do',
  stop: 'Stop what should not be',
  run: 'Run it in earnest',
}

/** An exercise as it stands in the report. */
interface Row {
  exercise: Exercise
  mine: ExerciseProgress
  /** Ids of the tasks that can be done here. */
  possible: Set<string>
  points: number
  most: number
}

/**
 * What a student did, as Markdown: a table for each track with a row for each exercise, which is one page.
 * @param options.full every task of them too, with its answer.
 */
export function progressReport(
  progress: Progress,
  offer: Capabilities,
  { full = false, now = new Date() }: { full?: boolean; now?: Date } = {},
): string {
  const known = exerciseNames()
  const rows = known.flatMap(name => (progress.exercises[name] ? [row(name, progress.exercises[name], offer)] : []))
  const points = sum(rows, row => row.points)
  const most = sum(rows, row => row.most)
  const lines = [
    '# Lab report',
    '',
    `- **Name:** ${studentName(offer.settings)}`,
    `- **Date:** ${minute(now.toISOString())} UTC`,
    `- **Lab:** ${offer.source === 'live' ? 'live Tetragon' : 'replayed recording'} (${offer.why})`,
    `- **Points:** ${points} of ${most} in ${rows.length} exercise${rows.length === 1 ? '' : 's'} (of ${known.length})`,
    '',
  ]
  if (rows.length === 0) lines.push('No exercise was started.', '')
  for (const track of tracks) {
    const mine = rows.filter(({ exercise }) => exercise.track === track)
    if (mine.length > 0) lines.push(...trackTable(track, mine))
  }
  if (rows.length > 0) lines.push(legend, '')
  if (full) for (const each of rows) lines.push(...taskTable(each))
  return lines.join('\n')
}

const legend =
  'Solved: tasks that the lab did, which give no points. Minutes: time spent, pauses of more than half an hour left out.'

function row(name: string, mine: ExerciseProgress, offer: Capabilities): Row {
  const exercise = findExercise(name)
  const { tasks } = doableTasks(exercise, offer)
  const earned = tasks.filter(({ id }) => mine.tasks[id]?.passedAt && !mine.tasks[id].solved)
  return {
    exercise,
    mine,
    possible: new Set(tasks.map(({ id }) => id)),
    points: sum(earned, task => task.points),
    most: sum(tasks, task => task.points),
  }
}

function trackTable(track: Track, rows: Row[]): string[] {
  return [
    `## ${trackTitles[track]}`,
    '',
    '| Exercise | Points | Tries | Hints | Solved | Minutes | Finished |',
    '| --- | ---: | ---: | ---: | ---: | ---: | --- |',
    ...rows.map(({ exercise: { name, title }, mine, points, most }) => {
      const tasks = Object.values(mine.tasks)
      const cells = [
        `${name.split('-')[0]} ${cell(title)}`,
        `${points}/${most}`,
        sum(tasks, ({ tries }) => tries),
        sum(tasks, ({ hints }) => hints),
        tasks.filter(({ solved }) => solved).length || '',
        mine.workedSeconds === undefined ? '' : Math.ceil(mine.workedSeconds / 60),
        mine.finishedAt ? minute(mine.finishedAt) : 'no',
      ]
      return `| ${cells.join(' | ')} |`
    }),
    '',
  ]
}

function taskTable({ exercise, mine, possible }: Row): string[] {
  return [
    `## ${exercise.title}`,
    '',
    exercise.outcome,
    '',
    '| Task | | Tries | Hints | Answer |',
    '| --- | --- | ---: | ---: | --- |',
    ...exercise.tasks.map(({ id, title }) => {
      const task = mine.tasks[id]
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
const minute = (time: string): string => time.slice(0, 16).replace('T', ' ')
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('`', "'").replaceAll('\n', ' ')
