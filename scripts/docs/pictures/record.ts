import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { execa } from 'execa'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { readSettings } from '../../../shared/settings/stack-file.ts'
import { mayBeRunning } from '../../context/context.ts'
import { findExercise } from '../../exercise/definition/exercises.ts'
import { grafanaAccess, missingFrontEnd } from '../../telemetry/grafana-client.ts'
import { print, report } from '../../terminal/output.ts'
import { joinCommands, type RecordedCommand } from './cast.ts'
import { draw, installRecorder, kilobytes, record } from './terminal.ts'

// `npm run docs:record` makes the pictures in docs/pictures from a real run: it starts a lab and records the terminal,
// lets `./lab test dashboards` take pictures of the dashboards once they are full, and removes the lab.

const recording = join(projectDir, 'docs', 'pictures', 'recording')
const mostKilobytes = 500

/** No command takes longer than this in the recording, in seconds. A longer one is shown at a higher speed. */
const secondsEach = 15
/** The dashboards show the last 15 minutes. */
const minutesUntilFull = 16

/** The exercise that is checked in the recording. */
const exercise = '0'

const settings = readSettings()

async function recordLab({ terminalOnly }: { terminalOnly: boolean }): Promise<void> {
  if (await mayBeRunning(settings.cluster))
    throw new LabError({
      found: 'A lab is running',
      expected: 'no lab, because the recording starts with ./lab up',
      next: './lab down',
    })
  await installRecorder()
  mkdirSync(dirname(recording), { recursive: true })
  const commands: RecordedCommand[] = []
  for (const command of ['./lab up', './lab verify', './lab exercise check --again', './lab down --yes']) {
    if (command.startsWith('./lab exercise')) await answerExercise()
    if (command.startsWith('./lab down') && !terminalOnly) await pictureDashboards()
    commands.push({ command, events: await record(command) })
  }
  for (const file of await draw(joinCommands(commands, secondsEach), recording)) {
    print(`${file}: ${kilobytes(file)} kB`)
    if (kilobytes(file) > mostKilobytes) throw new Error(`${file} is larger than ${mostKilobytes} kB`)
  }
}

/** Starts the exercise and answers each task as its solution does. */
async function answerExercise(): Promise<void> {
  const run = (command: string) => execa('bash', ['-c', command], { cwd: projectDir, stdin: 'ignore' })
  await run(`./lab exercise start ${exercise}`)
  for (const { solve } of findExercise(exercise).tasks) await run(solve)
}

async function pictureDashboards(): Promise<void> {
  const reason = await missingFrontEnd(grafanaAccess(settings))
  if (reason) return print(`No pictures of the dashboards: ${reason}`)
  print(`Waiting ${minutesUntilFull} minutes until the dashboards are full`)
  await sleep(minutesUntilFull * 60_000)
  await execa('./lab', ['test', 'dashboards'], { cwd: projectDir, stdio: 'inherit' })
}

const program = new Command('npm run docs:record --')
  .description('Make the pictures in docs/pictures from a real run')
  .option('--terminal', 'Record the terminal alone, which takes about two minutes')
  .action(({ terminal = false }: { terminal?: boolean }) => recordLab({ terminalOnly: terminal }))
try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = report(error)
}
