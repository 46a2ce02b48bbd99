import { colors } from '../../terminal/colors.ts'
import { print } from '../../terminal/output.ts'
import { describeNeeds, groupByReason, type TaskChoice } from '../definition/capabilities.ts'
import type { Exercise } from '../definition/exercises.ts'
import { workPath } from '../definition/folders.ts'
import { pointsOf } from '../session/exercise-state.ts'
import type { StartResult } from '../session/prepare.ts'
import { paragraph } from './paragraph.ts'

/** Prints what an exercise is about, its tasks, and the tasks that cannot be done here. */
export function showIntroduction(exercise: Exercise, { tasks, left }: TaskChoice): void {
  const { title, outcome, learned, minutes, track } = exercise
  print(`\n${colors.bold(title)}  ${colors.dim(`${track} · about ${minutes} min · ${pointsOf(tasks)} points`)}\n`)
  print(paragraph(outcome))
  print()
  for (const each of learned) print(`  ${colors.dim('•')} ${paragraph(each, { indent: 4 })}`)
  print()
  const width = Math.max(...tasks.map(({ id }) => id.length))
  for (const [index, { id, title }] of tasks.entries()) {
    const number = colors.dim(`${index + 1}.`.padEnd(3))
    print(`  ${number}${colors.bold(id.padEnd(width))}  ${paragraph(title, { indent: width + 7 })}`)
  }
  for (const { why, tasks } of groupByReason(left))
    print(colors.dim(`  – ${paragraph(`without ${tasks.join(', ')}: ${why}`, { indent: 4 })}`))
  print()
  showCommands(exercise)
}

function showCommands({ name, needs }: Exercise): void {
  const row = (what: string, how: string): void => print(`  ${colors.dim(what.padEnd(11))} ${how}`)
  const needed = describeNeeds(needs)
  if (needed) row('needs', `${paragraph(needed, { indent: 14 })}   ${colors.dim('(available here)')}`)
  row('text', `./lab exercise text   ${colors.dim(`(or labs/${name}/README.md)`)}`)
  row('check', './lab exercise check')
  row('hint', './lab exercise hint')
  row('your files', `${workPath(name)}/`)
  row('kubectl', './lab kubectl …, or eval "$(./lab env)" for the whole terminal')
}

/** Prints how a student who resumes an exercise goes on. */
export function showResumed({ gone }: StartResult): void {
  print()
  if (gone.length === 0) {
    print('To go on where you were: ./lab exercise check   (to start over: ./lab exercise reset)')
    return
  }
  const lost =
    'You keep your points and your files, but some of your results are missing from the cluster. Later tasks may need them, so do these tasks again:'
  print(colors.yellow(paragraph(lost)))
  const width = Math.max(...gone.map(({ id }) => id.length))
  for (const { id, title } of gone)
    print(`  ${colors.yellow('↻')} ${colors.bold(id.padEnd(width))}  ${paragraph(title, { indent: width + 6 })}`)
  print(`To check one of them: ./lab exercise check ${gone[0]!.id}`)
}
