import colors from 'picocolors'
import { print } from '../output.ts'
import type { Exercise } from './exercises.ts'
import { paragraph, textWidth } from './render.ts'
import type { Checked, TaskState } from './session.ts'
import type { Step } from './walk.ts'

// How exercises look on a terminal.

const marks: Record<TaskState['state'], string> = {
  passed: colors.green('✔'),
  solved: colors.yellow('✔'),
  failed: colors.red('✖'),
  open: colors.dim('○'),
  left: colors.dim('–'),
}

/** The state of an exercise: a line for each task, and for those that failed what was found, and how it goes on. */
export function showChecked({ title, tasks, points, most, finished }: Checked): void {
  print(`\n${colors.bold(title)}  ${progressBar(points, most)} ${points}/${most}\n`)
  const width = Math.max(...tasks.map(task => task.id.length))
  for (const task of tasks) {
    print(`  ${marks[task.state]} ${colors.bold(task.id.padEnd(width))}  ${task.title}${note(task)}`)
    if (task.state === 'failed') showFailure(task, width + 6)
    if (task.state === 'left')
      print(`${' '.repeat(width + 6)}${colors.dim(paragraph(task.why!, { indent: width + 6 }))}`)
  }
  print()
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
  ].filter(Boolean)
  return parts.length > 0 ? colors.dim(`  (${parts.join(', ')})`) : ''
}

function showFailure({ attempt, hint }: TaskState, indent: number): void {
  const pad = ' '.repeat(indent)
  const line = (name: string, text: string, colour: (text: string) => string = text => text): void =>
    print(`${pad}${colors.dim(name.padEnd(9))} ${colour(paragraph(text, { indent: indent + 10 }))}`)
  if (!attempt) return
  line('found', attempt.found)
  if (attempt.deadEnd) line('why', attempt.deadEnd.says, colors.yellow)
  else line('expected', attempt.expected)
  if (hint) line(`hint ${hint.number}/${hint.of}`, hint.text, colors.cyan)
}

const progressBar = (points: number, most: number): string => {
  const full = most === 0 ? 0 : Math.round((points / most) * 10)
  return colors.green('━'.repeat(full)) + colors.dim('━'.repeat(10 - full))
}

/** What an exercise is about, before it begins. */
export function showIntroduction(
  { name, title, outcome, learned, minutes, tasks, track }: Exercise,
  workPath: string,
): void {
  const points = tasks.reduce((sum, task) => sum + task.points, 0)
  print(`\n${colors.bold(title)}  ${colors.dim(`${track} · about ${minutes} min · ${points} points`)}\n`)
  print(paragraph(outcome))
  print()
  for (const each of learned) print(`  ${colors.dim('•')} ${paragraph(each, { indent: 4 })}`)
  print()
  for (const [index, task] of tasks.entries())
    print(
      `  ${colors.dim(`${index + 1}.`)} ${colors.bold(task.id)}  ${paragraph(task.title, { indent: 5, width: textWidth() - task.id.length })}`,
    )
  print()
  const row = (what: string, how: string): void => print(`  ${colors.dim(what.padEnd(11))} ${how}`)
  row('the text', `./lab exercise text   ${colors.dim(`(or labs/${name}/README.md)`)}`)
  row('to check', './lab exercise check')
  row('stuck?', './lab exercise hint')
  row('your files', `${workPath}/`)
  row('kubectl', 'eval "$(./lab env)"   makes this terminal talk to the lab')
}

const walkMarks = { ok: colors.green('✔'), fail: colors.red('✖'), skip: colors.yellow('–') }

/** One step of a walk, as it is made. */
export function showStep({ what, result, found, seconds }: Step): void {
  const said =
    found && (result !== 'ok' || process.stdout.isTTY)
      ? colors.dim(`  ${found.slice(0, result === 'ok' ? 90 : 1500)}`)
      : ''
  print(`  ${walkMarks[result]} ${what}${seconds >= 1 ? colors.dim(` ${seconds.toFixed(0)} s`) : ''}${said}`)
}
