import type { Command } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { sendProgress } from '../exercise/class/progress-metrics.ts'
import { type Capabilities, doableTasks, groupByReason, shortReason } from '../exercise/definition/capabilities.ts'
import { createExercise } from '../exercise/definition/create-exercise.ts'
import {
  type Exercise,
  exerciseNames,
  findExercise,
  readExercises,
  workPath,
} from '../exercise/definition/exercises.ts'
import { tracks } from '../exercise/definition/schema.ts'
import { currentCapabilities } from '../exercise/session/current-capabilities.ts'
import { readProgress } from '../exercise/session/progress.ts'
import {
  check,
  currentExercise,
  exerciseState,
  reset,
  saveAnswer,
  solveTask,
  startExercise,
  takeHint,
  taskOfExercise,
} from '../exercise/session/session.ts'
import { paragraph, renderMarkdown } from '../exercise/view/markdown.ts'
import { trackTitles } from '../exercise/view/progress-report.ts'
import { showChecked, showIntroduction, showResumed, showStep } from '../exercise/view/terminal.ts'
import { type WalkStep, walkExercise, walkTemplate } from '../exercise/walk/walk.ts'
import { colors } from '../terminal/colors.ts'
import { note, print, printJson } from '../terminal/output.ts'

interface Json {
  json?: boolean
}

const named = 'its name, number or words; by default the one that was started last'

export function register(program: Command): void {
  const exercise = program
    .command('exercise')
    .alias('ex')
    .description('work through the exercises in labs/: they check themselves')
    .addHelpText('after', '\nExample:\n  ./lab exercise list && ./lab exercise start 1')

  exercise
    .command('list')
    .description('say which exercises there are, how far you are, and which cannot run here and why')
    .option('--json', 'print them as JSON')
    .addHelpText('after', "\nExample:\n  ./lab exercise list --json | jq '.[] | select(.left)'")
    .action(async ({ json = false }: Json) => list(json))

  exercise
    .command('start')
    .description('start an exercise, or go on with it')
    .argument('<name>', 'its name, number or words: 4, find-the-reader, 04-find-the-reader')
    .option('--json', 'print what it is about as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise start 1')
    .action(async (name: string, { json = false }: Json) => {
      const found = findExercise(name)
      const offer = await currentCapabilities()
      if (!offer.running)
        throw new LabError({ found: 'no lab is running', expected: 'one to do the exercise in', next: './lab up' })
      const started = await startExercise(found, offer)
      const { resumed, tidied, gone } = started
      if (tidied) note(`What ${tidied} had changed in the cluster is taken back.`)
      await told(offer)
      if (json) return printJson({ ...described(found, offer), resumed, gone: gone.map(({ id }) => id) })
      showIntroduction(found, doableTasks(found, offer), workPath(found.name))
      if (resumed) showResumed(started)
    })

  exercise
    .command('check')
    .description('check the tasks that are not done yet, or a single one')
    .argument('[name]', named)
    .argument('[task]', 'id of a task')
    .option('--again', 'check also what has passed')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExamples:\n  ./lab exercise check\n  ./lab exercise check pod --json')
    .action(
      async (
        name: string | undefined,
        task: string | undefined,
        { json = false, again }: Json & { again?: boolean },
      ) => {
        const which = nameAndTask(name, task)
        const { exercise } = currentExercise(which.name)
        const { offer, checked } = await looking(json, async () => {
          const offer = await currentCapabilities()
          return { offer, checked: await check(exercise, offer, { task: which.task, again }) }
        })
        await told(offer)
        if (json) printJson(checked)
        else showChecked(checked)
        const asked = which.task ? checked.tasks.filter(({ id }) => id === which.task) : checked.tasks
        if (asked.some(({ state }) => ['failed', 'unable', 'open'].includes(state))) process.exitCode = 1
      },
    )

  exercise
    .command('answer')
    .description('give the answer to a task that asks for one, and check it')
    .argument('<task>', 'id of the task')
    .argument('<value...>', 'the answer; a query in quotes')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise answer pod visitor-59b79bb849-pfq7d')
    .action(async (task: string, words: string[], { json = false }: Json) => {
      const { exercise } = currentExercise()
      await saveAnswer(exercise, task, words.join(' '))
      const { offer, checked } = await looking(json, async () => {
        const offer = await currentCapabilities()
        return { offer, checked: await check(exercise, offer, { task }) }
      })
      await told(offer)
      if (json) printJson(checked)
      else showChecked(checked)
      if (['failed', 'unable'].includes(checked.tasks.find(({ id }) => id === task)!.state)) process.exitCode = 1
    })

  exercise
    .command('hint')
    .description('give one more hint for the task that you are at')
    .argument('[task]', 'id of another task')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise hint')
    .action(async (task: string | undefined, { json = false }: Json) => {
      const { exercise } = currentExercise()
      const offer = await currentCapabilities()
      const hint = await takeHint(exercise, offer, task)
      await told(offer)
      if (json) return printJson(hint ?? null)
      if (!hint) return print('Every task is done.')
      print(`${colors.bold(hint.task)}  ${paragraph(hint.title, { indent: hint.task.length + 2 })}`)
      print(`${colors.dim(`hint ${hint.number}/${hint.of}`)}  ${colors.cyan(paragraph(hint.text, { indent: 10 }))}`)
      if (hint.number === hint.of)
        print(colors.dim(`That was the last one. The solution: ./lab exercise solve ${hint.task}`))
    })

  exercise
    .command('text')
    .description('show the text of an exercise')
    .argument('[name]', named)
    .addHelpText('after', '\nExample:\n  ./lab exercise text 4 | less -R')
    .action((name: string | undefined) => {
      const { exercise, progress } =
        name === undefined ? currentExercise() : { exercise: findExercise(name), progress: undefined }
      const mine = progress ?? readProgress().exercises[exercise.name]
      process.stdout.write(
        renderMarkdown(exercise.text.tokens, {
          task: id => {
            const task = exercise.tasks.find(each => each.id === id)!
            const done = mine?.tasks[id]?.passedAt
            return done ? colors.green('✔ done') : colors.dim(`○ ${task.points} point${task.points === 1 ? '' : 's'}`)
          },
        }),
      )
    })

  exercise
    .command('reset')
    .description('put an exercise back to its beginning; what you wrote is kept aside')
    .argument('[name]', named)
    .option('--json', 'print what was done as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise reset')
    .action(async (name: string | undefined, { json = false }: Json) => {
      const { exercise } = currentExercise(name)
      const offer = await currentCapabilities()
      const kept = await reset(exercise, offer)
      await told(offer)
      if (json) return printJson({ exercise: exercise.name, kept: kept ?? null })
      print(`${exercise.name} is at its beginning again.${kept ? ` Your files are kept in ${kept}` : ''}`)
    })

  exercise
    .command('solve')
    .description('show how a task is done, and do it; it then gives no points')
    .argument('[task]', 'id of a task; by default the one that you are at')
    .option('--all', 'every task that is not done')
    .option('--show', 'only show the commands')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise solve pod')
    .action(async (id: string | undefined, { json = false, all, show }: Json & { all?: boolean; show?: boolean }) => {
      const { exercise, progress } = currentExercise()
      const offer = await currentCapabilities()
      const open = doableTasks(exercise, offer).tasks.filter(task => !progress.tasks[task.id]?.passedAt)
      const tasks = id !== undefined ? [taskOfExercise(exercise, id)] : all ? open : open.slice(0, 1)
      if (tasks.length === 0) return json ? printJson([]) : print('Every task is done.')
      const results = []
      for (const task of tasks) {
        if (!json)
          print(`${colors.bold(task.id)}  ${task.title}\n\n${colors.green(task.solve.trim().replace(/^/gm, '    '))}\n`)
        if (show) continue
        const { printed, checked } = await solveTask(exercise, task, offer)
        results.push({
          task: task.id,
          commands: task.solve,
          printed,
          state: checked.tasks.find(each => each.id === task.id)!.state,
        })
      }
      await told(offer)
      if (json) return printJson(show ? tasks.map(task => ({ task: task.id, commands: task.solve })) : results)
      if (!show)
        showChecked(exerciseState(exercise, doableTasks(exercise, offer), currentExercise(exercise.name).progress))
      if (results.some(({ state }) => state === 'failed' || state === 'unable')) process.exitCode = 1
    })

  exercise
    .command('new')
    .description('make the folder of a new exercise, which runs as it is')
    .argument('<name>', 'lower-case words with dashes')
    .addHelpText('after', '\nExample:\n  ./lab exercise new watch-a-shell && ./lab exercise test watch-a-shell')
    .action((name: string) => {
      const made = createExercise(name)
      print(`labs/${made}/ is there: exercise.yaml and README.md. How they are written: docs/writing-exercises.md`)
      print(`It runs: ./lab exercise test ${made}`)
    })

  exercise
    .command('test')
    .description(
      'walk exercises by their own text in the lab that runs, as their test; your own progress stays as it is',
    )
    .argument('[names...]', 'which; by default all, and one as `exercise new` makes it')
    .option('--json', 'print every step as JSON')
    .addHelpText('after', '\nExample:\n  ./lab exercise test 4')
    .action(async (names: string[], { json = false }: Json) => test(names, json))
}

/** `check TASK` means a task of the current exercise, `check NAME` an exercise. */
function nameAndTask(first?: string, second?: string): { name?: string; task?: string } {
  if (first === undefined || second !== undefined) return { name: first, task: second }
  const { exercise } = currentOrNone()
  return exercise?.tasks.some(({ id }) => id === first) ? { task: first } : { name: first }
}

function currentOrNone(): Partial<ReturnType<typeof currentExercise>> {
  try {
    return currentExercise()
  } catch (error) {
    if (error instanceof LabError) return {}
    throw error
  }
}

/** Says that something is looked at, while it lasts. */
async function looking<T>(quiet: boolean, work: () => Promise<T>): Promise<T> {
  if (quiet || !process.stderr.isTTY) return work()
  const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
  const began = Date.now()
  let frame = 0
  const timer = setInterval(() => {
    const seconds = Math.floor((Date.now() - began) / 1000)
    process.stderr.write(
      `\r${colors.cyan(frames[frame++ % frames.length]!)} looking${seconds > 2 ? ` for ${seconds} s; what was done may take a while to be seen` : ''}`,
    )
  }, 100)
  try {
    return await work()
  } finally {
    clearInterval(timer)
    process.stderr.write('\r\u001b[K')
  }
}

/** The teacher is told; that this failed is a note and nothing more. */
async function told(offer: Capabilities): Promise<void> {
  const problem = await sendProgress(offer)
  if (problem) note(colors.dim(problem))
}

function described(exercise: Exercise, offer: Capabilities) {
  const { title, track, outcome, learned, minutes, needs, tasks, name } = exercise
  const { left } = doableTasks(exercise, offer)
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

async function list(json: boolean): Promise<void> {
  const offer = await currentCapabilities()
  const progress = readProgress()
  const rows = readExercises().map(exercise => {
    const can = doableTasks(exercise, offer)
    const { points, most, finished } = exerciseState(exercise, can, progress.exercises[exercise.name])
    return {
      name: exercise.name,
      title: exercise.title,
      track: exercise.track,
      minutes: exercise.minutes,
      needs: exercise.needs,
      runs: can.tasks.length > 0,
      ...(can.tasks.length === 0 && {
        why: groupByReason(can.left)
          .map(({ why }) => why)
          .join('; '),
      }),
      ...(can.left.length > 0 && { left: groupByReason(can.left) }),
      started: progress.exercises[exercise.name] !== undefined,
      current: progress.current === exercise.name,
      finished,
      points,
      most,
    }
  })
  if (json) return printJson(rows)
  const width = Math.max(...rows.map(({ name }) => name.length), 10)
  const titles = Math.max(...rows.map(({ title }) => title.length), 10)
  for (const track of tracks) {
    const mine = rows.filter(row => row.track === track)
    if (mine.length === 0) continue
    print(`\n${colors.bold(trackTitles[track])}`)
    for (const { name, title, minutes, runs, why, left, started, current, finished, points, most } of mine) {
      const mark = finished ? colors.green('✔') : !runs ? colors.dim('–') : started ? colors.yellow('◐') : '○'
      const score = runs ? `${points}/${most}`.padStart(5) : ''
      const text = `${name.padEnd(width)}  ${title.padEnd(titles)}`
      print(
        `  ${mark} ${runs ? (current ? colors.bold(text) : text) : colors.dim(text)}  ${colors.dim(`${String(minutes).padStart(2)} min  ${score}`)}`,
      )
      const reasons = why ? [why] : (left ?? []).map(each => `without ${each.tasks.join(', ')}: ${each.why}`)
      for (const reason of reasons)
        print(`${' '.repeat(width + 6)}${colors.dim(paragraph(shortReason(reason, offer), { indent: width + 6 }))}`)
    }
  }
  if (offer.source === 'replay') print(colors.dim(`\n${paragraph(`A recording is played here: ${offer.why}.`)}`))
  print()
  if (!offer.running) note('No lab is running: ./lab up')
  else if (progress.current) note(`You are at ${progress.current}: ./lab exercise check`)
  else if (exerciseNames().length > 0) note(`Begin: ./lab exercise start ${exerciseNames()[0]}`)
}

async function test(names: string[], json: boolean): Promise<void> {
  const offer = await currentCapabilities()
  if (!offer.running)
    throw new LabError({
      found: 'no lab is running',
      expected: 'one in which exercises can be walked',
      next: './lab up',
    })
  const exercises = names.length > 0 ? names.map(name => findExercise(name)) : readExercises()
  const steps: WalkStep[] = []
  for (const exercise of exercises) {
    if (!json) print(`\n${colors.bold(exercise.name)}  ${exercise.title}`)
    steps.push(...(await walkExercise(exercise, offer, json ? undefined : showStep)))
  }
  if (names.length === 0) {
    if (!json) print(`\n${colors.bold('exercise new')}  as it is made`)
    steps.push(...(await walkTemplate(offer, json ? undefined : showStep)))
  }
  if (json) printJson(steps)
  const count = (result: WalkStep['result']): number => steps.filter(step => step.result === result).length
  const walked = exercises.length + (names.length === 0 ? 1 : 0)
  const summary = `${walked} exercise${walked === 1 ? '' : 's'}, ${steps.length} steps: ${count('ok')} as they should be, ${count('fail')} not, ${count('skip')} left out`
  if (!json) print(count('fail') === 0 ? colors.green(`\n${summary}`) : colors.red(`\n${summary}`))
  if (count('fail') > 0) process.exitCode = 1
}
