import type { Settings } from '../../stacks/settings.ts'
import { doable, type Offer } from './available.ts'
import { studentName } from './class.ts'
import { exerciseNames, findExercise } from './exercises.ts'
import type { Progress, TaskProgress } from './progress.ts'

const minutesBetween = (from: string, to: string): number =>
  Math.max(1, Math.round((Date.parse(to) - Date.parse(from)) / 60_000))

/** One page of Markdown: what a student did, exercise by exercise. */
export function report(progress: Progress, offer: Offer, settings: Settings, now = new Date()): string {
  const known = new Set(exerciseNames())
  const started = Object.entries(progress.exercises)
    .filter(([name]) => known.has(name))
    .sort(([a], [b]) => a.localeCompare(b))
  const rows = started.map(([name, mine]) => {
    const exercise = findExercise(name)
    const { tasks } = doable(exercise, offer)
    const done = (id: string): TaskProgress | undefined => (mine.tasks[id]?.passedAt ? mine.tasks[id] : undefined)
    return {
      exercise,
      mine,
      tasks,
      points: tasks.reduce((sum, { id, points }) => sum + (done(id) && !done(id)!.solved ? points : 0), 0),
      most: tasks.reduce((sum, { points }) => sum + points, 0),
    }
  })
  const points = rows.reduce((sum, row) => sum + row.points, 0)
  const most = rows.reduce((sum, row) => sum + row.most, 0)
  const lines = [
    '# Lab report',
    '',
    `- **Name:** ${studentName(settings)}`,
    `- **Date:** ${now.toISOString().slice(0, 16).replace('T', ' ')} UTC`,
    `- **Lab:** ${offer.source === 'live' ? 'live Tetragon' : 'replayed recording'} (${offer.why})`,
    `- **Points:** ${points} of ${most} in ${rows.length} exercise${rows.length === 1 ? '' : 's'} (of ${known.size})`,
    '',
  ]
  if (rows.length === 0) lines.push('No exercise was started.', '')
  else {
    lines.push('| Exercise | Points | Finished | Minutes |', '| --- | --- | --- | --- |')
    for (const { exercise, mine, points, most } of rows)
      lines.push(
        `| ${exercise.name} ${cell(exercise.title)} | ${points}/${most} | ${mine.finishedAt ? mine.finishedAt.slice(0, 16).replace('T', ' ') : 'no'} | ${mine.finishedAt ? minutesBetween(mine.startedAt, mine.finishedAt) : '–'} |`,
      )
    lines.push('')
  }
  for (const { exercise, mine, tasks } of rows) {
    lines.push(
      `## ${exercise.title}`,
      '',
      exercise.outcome,
      '',
      '| Task | | Tries | Hints | Answer |',
      '| --- | --- | --- | --- | --- |',
    )
    for (const { id, title } of exercise.tasks) {
      const task = mine.tasks[id]
      const state = !tasks.some(each => each.id === id)
        ? 'not possible here'
        : task?.solved
          ? 'solved by the lab'
          : task?.passedAt
            ? 'done'
            : 'open'
      lines.push(
        `| ${cell(title)} | ${state} | ${task?.tries ?? 0} | ${task?.hints ?? 0} | ${task?.answer ? `\`${cell(task.answer.value)}\`` : ''} |`,
      )
    }
    lines.push('')
  }
  return lines.join('\n')
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('`', "'").replaceAll('\n', ' ')
