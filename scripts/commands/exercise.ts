import type { Command } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { sendProgress } from '../exercise/class/progress-metrics.ts'
import { type Capabilities, doableTasks } from '../exercise/definition/capabilities.ts'
import { createExercise } from '../exercise/definition/create-exercise.ts'
import { type Exercise, exerciseNames, findExercise, readExercises } from '../exercise/definition/exercises.ts'
import { exerciseFolders, workPath } from '../exercise/definition/folders.ts'
import { checkExercise, saveAnswer, solveTask, takeHint } from '../exercise/session/check-exercise.ts'
import { currentCapabilities } from '../exercise/session/current-capabilities.ts'
import { type ExerciseState, exerciseState } from '../exercise/session/exercise-state.ts'
import { resetExercise, startExercise } from '../exercise/session/prepare.ts'
import { readProgress, type TaskProgress } from '../exercise/session/progress.ts'
import { currentExercise, newSession, progressOf, type Session, taskOfExercise } from '../exercise/session/session.ts'
import { showWhileChecking } from '../exercise/view/checking.ts'
import { listedExercise, showExercises } from '../exercise/view/exercise-list.ts'
import { showIntroduction, showResumed } from '../exercise/view/introduction.ts'
import { textFor } from '../exercise/view/local-text.ts'
import { renderMarkdown } from '../exercise/view/markdown.ts'
import { paragraph } from '../exercise/view/paragraph.ts'
import { showExerciseState } from '../exercise/view/task-list.ts'
import { showStep, showTestSummary } from '../exercise/view/test-report.ts'
import { walkExercise, walkTemplate } from '../exercise/walk/walk.ts'
import type { WalkStep } from '../exercise/walk/walk-step.ts'
import { colors } from '../terminal/colors.ts'
import { addGroup } from '../terminal/lab-command.ts'
import { note, print, printJson } from '../terminal/output.ts'

interface Json {
  json?: boolean
}

const nameArgument = 'Name or number of an exercise (default: the one that you started last)'

export function register(program: Command): void {
  const exercise = addGroup(
    program,
    'exercise',
    'Work through the exercises in labs/, which check your results',
    'Example:\n  ./lab exercise list && ./lab exercise start 1',
  ).alias('ex')

  exercise
    .command('list')
    .description('List the exercises, your points, and what cannot be done here')
    .option('--json', 'Print the exercises as JSON')
    .addHelpText('after', "\nExample:\n  ./lab exercise list --json | jq '.[] | select(.left)'")
    .action(({ json = false }: Json) => list(json))

  exercise
    .command('start')
    .description('Start or resume an exercise')
    .argument('<exercise>', 'Name or number: 4, find-the-reader, 04-find-the-reader')
    .option('--json', 'Print the exercise as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise start 1')
    .action((name: string, { json = false }: Json) => start(name, json))

  exercise
    .command('check')
    .description('Check the tasks that are not done yet, or one task')
    .argument('[exercise]', nameArgument)
    .argument('[task]', 'Id of a task')
    .option('--again', 'Also check the tasks that have passed')
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExamples:\n  ./lab exercise check\n  ./lab exercise check pod --json')
    .action((name: string | undefined, task: string | undefined, options: Json & { again?: boolean }) =>
      check(nameAndTask(name, task), options),
    )

  exercise
    .command('answer')
    .description('Answer a task, and check the answer')
    .argument('<task>', 'Id of the task')
    .argument('<value...>', 'The answer; put a query in quotes')
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise answer pod visitor-59b79bb849-pfq7d')
    .action((task: string, words: string[], { json = false }: Json) => answer(task, words.join(' '), json))

  exercise
    .command('hint')
    .description('Show the next hint for the current task')
    .argument('[task]', 'Id of another task')
    .option('--json', 'Print the hint as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise hint')
    .action((task: string | undefined, { json = false }: Json) => hint(task, json))

  exercise
    .command('text')
    .description('Show the text of an exercise')
    .argument('[exercise]', nameArgument)
    .addHelpText('after', '\nExample:\n  ./lab exercise text 4 | less -R')
    .action((name: string | undefined) => text(name))

  exercise
    .command('reset')
    .description('Start an exercise over; your files are kept in another folder')
    .argument('[exercise]', nameArgument)
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise reset')
    .action((name: string | undefined, { json = false }: Json) => reset(name, json))

  exercise
    .command('solve')
    .description('Show the solution of a task and run it; the task then gives no points')
    .argument('[task]', 'Id of a task (default: the current one)')
    .option('--all', 'Solve every task that is not done')
    .option('--show', 'Only show the commands')
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise solve pod')
    .action((task: string | undefined, options: Json & { all?: boolean; show?: boolean }) => solve(task, options))

  exercise
    .command('new')
    .description('Create the folder of a new exercise, which passes its test unchanged')
    .argument('<name>', 'Lower-case words with dashes')
    .addHelpText('after', '\nExample:\n  ./lab exercise new watch-a-shell && ./lab exercise test watch-a-shell')
    .action((name: string) => {
      const created = createExercise(name)
      print(`Created labs/${created}/ with exercise.yaml and README.md. How to write them: docs/writing-exercises.md`)
      print(`To test it: ./lab exercise test ${created}`)
    })

  exercise
    .command('test')
    .description('Test exercises in the running lab by doing what their text says; your own progress is kept')
    .argument('[exercises...]', 'Exercises to test (default: all, and one that `exercise new` creates)')
    .option('--json', 'Print every step as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise test 4')
    .action((names: string[], { json = false }: Json) => test(names, json))
}

async function list(json: boolean): Promise<void> {
  const capabilities = await currentCapabilities()
  const progress = readProgress()
  const exercises = readExercises().map(exercise => listedExercise(exercise, capabilities, progress))
  if (json) return printJson(exercises)
  showExercises(exercises, capabilities)
  print()
  const [first] = exerciseNames()
  if (!capabilities.running) note('No lab is running: ./lab up')
  else if (progress.current) note(`Your current exercise is ${progress.current}: ./lab exercise check`)
  else if (first) note(`To start: ./lab exercise start ${first}`)
}

async function start(name: string, json: boolean): Promise<void> {
  const exercise = findExercise(name)
  const capabilities = await requireRunningLab()
  const result = await startExercise(newSession(exercise, capabilities))
  const { resumed, tidied, gone } = result
  if (tidied) note(`The changes of ${tidied} to the cluster were undone.`)
  await reportProgress(capabilities)
  if (json) return printJson({ ...describeExercise(exercise, capabilities), resumed, gone: gone.map(({ id }) => id) })
  showIntroduction(exercise, doableTasks(exercise, capabilities))
  if (resumed) showResumed(result)
}

/** Returns an exercise as `start --json` prints it. */
function describeExercise(exercise: Exercise, capabilities: Capabilities) {
  const { title, track, outcome, learned, minutes, needs, tasks, name } = exercise
  const { left } = doableTasks(exercise, capabilities)
  return {
    name,
    title,
    track,
    outcome,
    learned,
    minutes,
    needs,
    tasks: tasks.map(({ id, title, points, needs }) => {
      const why = left.find(({ task }) => task.id === id)?.why
      return { id, title, points, ...(needs && { needs }), ...(why !== undefined && { why }) }
    }),
    work: workPath(name),
  }
}

async function check(
  { name, task }: { name?: string; task?: string },
  { json = false, again }: Json & { again?: boolean },
): Promise<void> {
  const { exercise } = currentExercise(name)
  const state = await checkAndShow(exercise, { task, again }, json)
  const checked = task ? state.tasks.filter(({ id }) => id === task) : state.tasks
  if (checked.some(({ state }) => ['failed', 'unable', 'open'].includes(state))) process.exitCode = 1
}

async function answer(task: string, value: string, json: boolean): Promise<void> {
  const { exercise } = currentExercise()
  await saveAnswer({ exercise, folders: exerciseFolders() }, task, value)
  const { tasks } = await checkAndShow(exercise, { task }, json)
  if (['failed', 'unable'].includes(tasks.find(({ id }) => id === task)!.state)) process.exitCode = 1
}

async function checkAndShow(
  exercise: Exercise,
  options: { task?: string; again?: boolean },
  json: boolean,
): Promise<ExerciseState> {
  const { capabilities, state } = await showWhileChecking(json, async () => {
    const capabilities = await currentCapabilities()
    return { capabilities, state: await checkExercise(newSession(exercise, capabilities), options) }
  })
  await reportProgress(capabilities)
  if (json) printJson(state)
  else showExerciseState(state)
  return state
}

/** A single argument of `check` is a task of the current exercise, or else the name of an exercise. */
function nameAndTask(first?: string, second?: string): { name?: string; task?: string } {
  if (first === undefined || second !== undefined) return { name: first, task: second }
  return currentTasks().includes(first) ? { task: first } : { name: first }
}

function currentTasks(): string[] {
  try {
    return currentExercise().exercise.tasks.map(({ id }) => id)
  } catch (error) {
    if (error instanceof LabError) return []
    throw error
  }
}

async function hint(task: string | undefined, json: boolean): Promise<void> {
  const session = await currentSession()
  const next = await takeHint(session, task)
  await reportProgress(session.capabilities)
  if (json) return printJson(next ?? null)
  if (!next) return print('Every task is done.')
  print(`${colors.bold(next.task)}  ${paragraph(next.title, { indent: next.task.length + 2 })}`)
  print(`${colors.dim(`hint ${next.number}/${next.of}`)}  ${colors.cyan(paragraph(next.text, { indent: 10 }))}`)
  if (next.number === next.of)
    print(colors.dim(`This was the last hint. To see the solution: ./lab exercise solve ${next.task}`))
}

function text(name: string | undefined): void {
  const exercise = name === undefined ? currentExercise().exercise : findExercise(name)
  const tasks: Record<string, TaskProgress> = readProgress().exercises[exercise.name]?.tasks ?? {}
  const taskLine = (id: string): string => {
    if (tasks[id]?.passedAt) return colors.green('✔ done')
    const { points } = taskOfExercise(exercise, id)
    return colors.dim(`○ ${points} point${points === 1 ? '' : 's'}`)
  }
  const { tokens, forwards } = textFor(exercise, readSettings())
  if (forwards.length > 0) {
    print(colors.dim('In your own cluster, the addresses in this text need a port-forward, in a terminal of its own:'))
    for (const command of forwards) print(`  ${colors.green(command)}`)
    print()
  }
  process.stdout.write(renderMarkdown(tokens, { task: taskLine }))
}

async function reset(name: string | undefined, json: boolean): Promise<void> {
  const session = await currentSession(name)
  const kept = await resetExercise(session)
  await reportProgress(session.capabilities)
  const exercise = session.exercise.name
  if (json) return printJson({ exercise, kept: kept ?? null })
  print(`${exercise} starts over.${kept ? ` Your files are in ${kept}` : ''}`)
}

async function solve(
  id: string | undefined,
  { json = false, all, show }: Json & { all?: boolean; show?: boolean },
): Promise<void> {
  const session = await currentSession()
  const { exercise, capabilities } = session
  const progress = progressOf(session)
  const choice = doableTasks(exercise, capabilities)
  const open = choice.tasks.filter(task => !progress.tasks[task.id]?.passedAt)
  const tasks = id !== undefined ? [taskOfExercise(exercise, id)] : all ? open : open.slice(0, 1)
  if (tasks.length === 0) return json ? printJson([]) : print('Every task is done.')
  const results = []
  for (const task of tasks) {
    if (!json)
      print(`${colors.bold(task.id)}  ${task.title}\n\n${colors.green(task.solve.trim().replace(/^/gm, '    '))}\n`)
    if (show) continue
    const { printed, checked } = await solveTask(session, task)
    const { state } = checked.tasks.find(each => each.id === task.id)!
    results.push({ task: task.id, commands: task.solve, printed, state })
  }
  await reportProgress(capabilities)
  if (json) return printJson(show ? tasks.map(task => ({ task: task.id, commands: task.solve })) : results)
  if (!show) showExerciseState(exerciseState(exercise, choice, progressOf(session)))
  if (results.some(({ state }) => state === 'failed' || state === 'unable')) process.exitCode = 1
}

async function test(names: string[], json: boolean): Promise<void> {
  const capabilities = await requireRunningLab()
  const exercises = names.length > 0 ? names.map(name => findExercise(name)) : readExercises()
  const options = json ? {} : { listener: showStep }
  const steps: WalkStep[] = []
  for (const exercise of exercises) {
    if (!json) print(`\n${colors.bold(exercise.name)}  ${exercise.title}`)
    steps.push(...(await walkExercise(exercise, capabilities, options)))
  }
  if (names.length === 0) {
    if (!json) print(`\n${colors.bold('exercise new')}  a new exercise, unchanged`)
    steps.push(...(await walkTemplate(capabilities, options)))
  }
  if (steps.some(({ result }) => result === 'fail')) process.exitCode = 1
  if (json) printJson(steps)
  else showTestSummary(exercises.length + (names.length === 0 ? 1 : 0), steps)
}

/** Returns a session on the named exercise, or on the one that was started last. */
async function currentSession(name?: string): Promise<Session> {
  const { exercise } = currentExercise(name)
  return newSession(exercise, await currentCapabilities())
}

async function requireRunningLab(): Promise<Capabilities> {
  const capabilities = await currentCapabilities()
  if (capabilities.running) return capabilities
  throw new LabError({ found: 'No lab is running', next: './lab up' })
}

/** Sends the progress to the teacher. A failure is only a note. */
async function reportProgress(capabilities: Capabilities): Promise<void> {
  const problem = await sendProgress(capabilities)
  if (problem) note(colors.dim(problem))
}
