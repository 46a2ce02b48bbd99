import { colors } from '../../terminal/colors.ts'
import { print } from '../../terminal/output.ts'
import { describeNeeds, type doableTasks, groupByReason } from '../definition/capabilities.ts'
import type { Exercise } from '../definition/exercises.ts'
import type { ExerciseState, StartResult, TaskState } from '../session/session.ts'
import type { WalkStep } from '../walk/walk.ts'
import { paragraph } from './markdown.ts'

// How exercises look on a terminal.

const marks: Record<TaskState['state'], string> = {
  passed: colors.green('✔'),
  solved: colors.yellow('✔'),
  failed: colors.red('✖'),
  unable: colors.yellow('!'),
  open: colors.dim('○'),
  left: colors.dim('–'),
}

/** The state of an exercise: a line for each task, and for those that failed what was found, and how it goes on. */
export function showChecked({ title, tasks, points, most, finished, exercise, moved }: ExerciseState): void {
  print(`\n${colors.bold(title)}  ${progressBar(points, most)} ${points}/${most}\n`)
  const width = Math.max(...tasks.map(task => task.id.length))
  for (const task of tasks) {
    print(
      `  ${marks[task.state]} ${colors.bold(task.id.padEnd(width))}  ${paragraph(task.title, { indent: width + 6 })}${note(task)}`,
    )
    if (task.state === 'failed' || task.state === 'unable') showFailure(task, width + 6)
  }
  print()
  if (moved)
    print(
      `${colors.yellow(paragraph('This is another cluster than the one that the exercise was set up in.'))}\nTo set it up here, and to see what is to be done once more: ./lab exercise start ${exercise}\n`,
    )
  if (finished)
    print(
      points === most
        ? colors.green(`Done, with all ${most} points. ./lab exercise list shows what comes next.`)
        : `Done, ${points} of ${most} points. ./lab exercise list shows what comes next.`,
    )
}

function note({ state, points, tries }: TaskState): string {
  const parts = [
    state === 'passed' ? `${points} point${points === 1 ? '' : 's'}` : '',
    state === 'solved' ? 'solved by the lab' : '',
    state === 'failed' && tries > 0 ? `try ${tries}` : '',
    state === 'unable' ? 'could not be checked; no try' : '',
    state === 'left' ? 'not possible here' : '',
  ].filter(Boolean)
  return parts.length > 0 ? colors.dim(`  (${parts.join(', ')})`) : ''
}

function showFailure({ attempt, hint }: TaskState, indent: number): void {
  const pad = ' '.repeat(indent)
  const line = (name: string, text: string, colour: (text: string) => string = text => text): void =>
    print(`${pad}${colors.dim(name.padEnd(9))} ${colour(paragraph(text, { indent: indent + 10 }))}`)
  if (!attempt) return
  line('found', attempt.found)
  line('expected', attempt.expected)
  if (attempt.unable) line('next', attempt.unable, colors.yellow)
  if (attempt.deadEnd) line('why', attempt.deadEnd.says, colors.yellow)
  if (hint) line(`hint ${hint.number}/${hint.of}`, hint.text, colors.cyan)
}

const progressBar = (points: number, most: number): string => {
  const full = most === 0 ? 0 : Math.round((points / most) * 10)
  return colors.green('━'.repeat(full)) + colors.dim('━'.repeat(10 - full))
}

/** Tasks that cannot be done here, each reason once. */
function showLeftOut(left: ReturnType<typeof groupByReason>): void {
  for (const { why, tasks } of left)
    print(`  ${colors.dim('–')} ${colors.dim(paragraph(`without ${tasks.join(', ')}: ${why}`, { indent: 4 }))}`)
}

/** What an exercise is about, before it begins: what can be done of it here, and what cannot. */
export function showIntroduction(
  { name, title, outcome, learned, minutes, needs, track }: Exercise,
  { tasks, left }: ReturnType<typeof doableTasks>,
  workPath: string,
): void {
  const points = tasks.reduce((sum, task) => sum + task.points, 0)
  print(`\n${colors.bold(title)}  ${colors.dim(`${track} · about ${minutes} min · ${points} points`)}\n`)
  print(paragraph(outcome))
  print()
  for (const each of learned) print(`  ${colors.dim('•')} ${paragraph(each, { indent: 4 })}`)
  print()
  const width = Math.max(...tasks.map(({ id }) => id.length))
  for (const [index, task] of tasks.entries())
    print(
      `  ${colors.dim(`${index + 1}.`.padEnd(3))}${colors.bold(task.id.padEnd(width))}  ${paragraph(task.title, { indent: width + 7 })}`,
    )
  showLeftOut(groupByReason(left))
  print()
  const row = (what: string, how: string): void => print(`  ${colors.dim(what.padEnd(11))} ${how}`)
  const needed = describeNeeds(needs)
  if (needed) row('it needs', `${paragraph(needed, { indent: 14 })}   ${colors.dim('(which is here)')}`)
  row('the text', `./lab exercise text   ${colors.dim(`(or labs/${name}/README.md)`)}`)
  row('to check', './lab exercise check')
  row('stuck?', './lab exercise hint')
  row('your files', `${workPath}/`)
  row('kubectl', './lab kubectl …, or eval "$(./lab env)" for the whole terminal')
}

/** How it goes on for a student who comes back. */
export function showResumed({ gone }: StartResult): void {
  print()
  if (gone.length === 0) {
    print('You go on where you were: ./lab exercise check   (from the beginning: ./lab exercise reset)')
    return
  }
  print(
    colors.yellow(
      paragraph(
        'You have been here before, and your points stay. But what you had made in the cluster is gone; your files are not. What comes next may need it, so once more:',
      ),
    ),
  )
  const width = Math.max(...gone.map(({ id }) => id.length))
  for (const { id, title } of gone)
    print(`  ${colors.yellow('↻')} ${colors.bold(id.padEnd(width))}  ${paragraph(title, { indent: width + 6 })}`)
  print(`Whether it is there again: ./lab exercise check ${gone[0]!.id}`)
}

const walkMarks = { ok: colors.green('✔'), fail: colors.red('✖'), skip: colors.yellow('–') }

/** One step of a walk, as it is made. */
export function showStep({ what, result, found, seconds }: WalkStep): void {
  const said =
    found && (result !== 'ok' || process.stdout.isTTY)
      ? colors.dim(`  ${found.slice(0, result === 'ok' ? 90 : 1500)}`)
      : ''
  print(`  ${walkMarks[result]} ${what}${seconds >= 1 ? colors.dim(` ${seconds.toFixed(0)} s`) : ''}${said}`)
}
