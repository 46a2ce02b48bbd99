import { colors } from '../../terminal/colors.ts'
import { print } from '../../terminal/output.ts'
import type { ExerciseState, TaskState } from '../session/exercise-state.ts'
import { paragraph } from './paragraph.ts'

const marks: Record<TaskState['state'], string> = {
  passed: colors.green('✔'),
  solved: colors.yellow('✔'),
  failed: colors.red('✖'),
  unable: colors.yellow('!'),
  open: colors.dim('○'),
  left: colors.dim('–'),
}

/** Prints a line for each task, and under a failed task what was found and what to do next. */
export function showExerciseState({ title, tasks, points, most, finished, exercise, moved }: ExerciseState): void {
  print(`\n${colors.bold(title)}  ${progressBar(points, most)} ${points}/${most}\n`)
  const width = Math.max(...tasks.map(task => task.id.length))
  for (const task of tasks) {
    const text = paragraph(task.title, { indent: width + 6 })
    print(`  ${marks[task.state]} ${colors.bold(task.id.padEnd(width))}  ${text}${remarks(task)}`)
    if (task.state === 'failed' || task.state === 'unable') showFailure(task, width + 6)
  }
  print()
  if (moved) {
    print(colors.yellow('You set up this exercise in another cluster.'))
    print(`To set it up here, and to see what you need to do again: ./lab exercise start ${exercise}\n`)
  }
  if (finished) {
    const next = './lab exercise list shows what comes next.'
    print(
      points === most
        ? colors.green(`Done, with all ${most} points. ${next}`)
        : `Done, ${points} of ${most} points. ${next}`,
    )
  }
}

function remarks({ state, points, tries }: TaskState): string {
  const text = {
    passed: `${points} point${points === 1 ? '' : 's'}`,
    solved: 'solved by the lab',
    failed: tries > 0 ? `try ${tries}` : '',
    unable: 'could not be checked, does not count as a try',
    open: '',
    left: 'not possible here',
  }[state]
  return text && colors.dim(`  (${text})`)
}

function showFailure({ attempt, hint }: TaskState, indent: number): void {
  if (!attempt) return
  const pad = ' '.repeat(indent)
  const line = (name: string, text: string, color: (text: string) => string = plain => plain): void =>
    print(`${pad}${colors.dim(name.padEnd(9))} ${color(paragraph(text, { indent: indent + 10 }))}`)
  line('found', attempt.found)
  if (attempt.expected) line('expected', attempt.expected)
  if (attempt.unable) line('fix', attempt.unable, colors.yellow)
  if (attempt.deadEnd) line('why', attempt.deadEnd.says, colors.yellow)
  if (hint) line(`hint ${hint.number}/${hint.of}`, hint.text, colors.cyan)
}

function progressBar(points: number, most: number): string {
  const full = most === 0 ? 0 : Math.round((points / most) * 10)
  return colors.green('━'.repeat(full)) + colors.dim('━'.repeat(10 - full))
}
