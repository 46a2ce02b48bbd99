import type { Command } from 'commander'
import { portForwardCommands } from '../../shared/addresses.ts'
import { loadRunningLab } from '../context/context.ts'
import { connectLabClient } from '../exercise/check/lab-client.ts'
import { awayAfter, readClass, type Student } from '../exercise/class/class-overview.ts'
import { joinClass, leaveClass } from '../exercise/class/join-class.ts'
import { addressForStudents, forwardPrometheus, requirePrometheus } from '../exercise/class/open-class.ts'
import { sendProgress, studentName } from '../exercise/class/progress-metrics.ts'
import { currentCapabilities } from '../exercise/session/current-capabilities.ts'
import { colors } from '../terminal/colors.ts'
import { addGroup, wholeNumber } from '../terminal/lab-command.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { plainTable } from '../terminal/table.ts'

export function register(program: Command): void {
  const group = addGroup(
    program,
    'class',
    'For classes: send exercise progress from the students’ labs to the teacher’s lab',
    `Teacher:       ./lab class open, then ./lab class show or the dashboard Class in Grafana
Each student:  ./lab class join http://192.168.1.20:9099

More: docs/teaching.md`,
  )

  group
    .command('open')
    .description('Let students’ labs reach this lab’s Prometheus until Ctrl-C')
    .option('--address <ip>', 'Address of this machine that students can reach (default: its only one)')
    .option('--port <number>', 'Port that students connect to', wholeNumber('--port', 9099, { to: 65535 }), 9099)
    .addHelpText('after', '\nExample:\n  ./lab class open --address 192.168.1.20')
    .action(async ({ address = addressForStudents(), port }: { address?: string; port: number }) => {
      const context = await loadRunningLab()
      await requirePrometheus(context)
      const { settings } = context
      const { grafana, prometheus } = settings.ports
      print(`Students run:  ${colors.bold(`./lab class join http://${address}:${port}`)}`)
      print(`You see them:  ./lab class show, or http://localhost:${grafana}/d/tetragon-class`)
      if (settings.cluster.mode === 'existing') print(`               after ${portForwardCommands(settings).grafana}`)
      print(
        colors.yellow(
          `\nUntil Ctrl-C, anyone who can reach ${address}:${port} can read this lab's metrics and add to them.`,
        ),
      )
      print("If you do not trust the network, students use SSH instead. On each student's machine:")
      print(`  ssh -N -L ${port}:127.0.0.1:${prometheus} YOU@${address}`)
      print(`  ./lab class join http://127.0.0.1:${port}\n`)
      await forwardPrometheus(context, address, port)
    })

  group
    .command('join')
    .description('Send the progress of your exercises to the teacher')
    .argument('<address>', 'Address that the teacher’s `lab class open` shows')
    .option('--as <name>', 'Name that the teacher sees (default: your account and machine)')
    .addHelpText('after', '\nExample:\n  ./lab class join http://192.168.1.20:9099 --as Ada')
    .action(async (address: string, { as }: { as?: string }) => {
      await joinClass(address, as)
      const capabilities = await currentCapabilities()
      const problem = await sendProgress(capabilities)
      print(
        `The progress of your exercises is sent to ${address} as ${studentName(capabilities.settings)}. Nothing else is sent.`,
      )
      if (problem) note(colors.yellow(problem))
      else print(colors.green('The teacher’s lab has received it.'))
      print('To stop: ./lab class leave')
    })

  group
    .command('leave')
    .description('Stop sending progress')
    .addHelpText('after', '\nExample:\n  ./lab class leave')
    .action(async () => {
      await leaveClass()
      print('Your progress stays on this machine.')
    })

  group
    .command('show')
    .description('Show where each student is, and who is stuck')
    .option('--json', 'Print the students as JSON')
    .addHelpText('after', "\nExample:\n  ./lab class show --json | jq '.[] | select(.stuck)'")
    .action(async ({ json = false }: { json?: boolean }) => {
      const students = await readClass(await connectLabClient())
      if (json) printJson(students)
      else if (students.length > 0) showStudents(students)
      else print('No student has sent progress in the last 6 hours. To start a class: ./lab class open')
    })
}

function showStudents(students: Student[]): void {
  const grid = plainTable(
    ['student', 'points', 'task', 'minutes on it', 'tries', 'last seen'],
    ['left', 'right', 'left', 'right', 'right', 'right'],
  )
  for (const { student, points, possible, at, stuck, away, minutesSilent } of students)
    grid.push([
      stuck ? colors.yellow(student) : away ? colors.dim(student) : student,
      `${points}/${possible}`,
      at ? `${at.exercise} ${at.task}` : 'done',
      at ? String(at.minutes) : '',
      at ? String(at.tries) : '',
      `${minutesSilent < 1 ? 'now' : `${minutesSilent} min ago`}${away ? ', away?' : ''}`,
    ])
  print(grid.toString())
  const stuck = students.filter(each => each.stuck).length
  if (stuck > 0) print(colors.yellow(`${stuck} may be stuck: 3 failed tries, or 15 minutes on one task.`))
  if (students.some(({ away }) => away)) print(colors.dim(`away?: not seen for ${awayAfter} minutes.`))
}
