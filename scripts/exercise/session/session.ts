import { cpSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../../shared/lab-error.ts'
import { labPath } from '../../../shared/paths.ts'
import { type Attempt, attempt } from '../check/attempt.ts'
import { connectLabClient, type LabClient } from '../check/lab-client.ts'
import { type Exercise, findExercise, workFolder, workPath } from '../definition/exercises.ts'
import { type Capabilities, doable } from '../definition/requirements.ts'
import { asksForAnswer, looksAtFiles, partsOf, type Task } from '../definition/schema.ts'
import {
  type ExerciseProgress,
  readProgress,
  type TaskProgress,
  taskProgress,
  updateProgress,
  work,
} from './progress.ts'
import { runCommands } from './shell.ts'

// What a student does with an exercise: start, check, answer, be given a hint, reset, be shown the solution.

/** What came of starting an exercise. */
export interface Started {
  /** It had been started before. */
  resumed: boolean
  /** The exercise before, where what it had changed in the cluster was taken back. */
  tidied?: string
  /** Tasks that are done, and whose doing is gone from the cluster: what comes next may need it. */
  gone: Task[]
}

/**
 * Starts an exercise, or goes on with it. What the one before changed in the cluster is taken back. The setup is run where it is not in place: not
 * under the hands of a student who only comes back.
 * @throws LabError when it cannot be done here.
 */
export async function start(
  exercise: Exercise,
  offer: Capabilities,
  { world }: { world?: LabClient } = {},
): Promise<Started> {
  const { tasks, left } = doable(exercise, offer)
  if (tasks.length === 0)
    throw new LabError({
      found: `${exercise.name} ${left[0]!.why}`,
      expected: 'an exercise that can be done here',
      next: './lab exercise list',
    })
  const { name } = exercise
  const progress = readProgress()
  const before = progress.current !== name ? progress.current : undefined
  const tidied = before && (await tidy(before)) ? before : undefined
  const known = progress.exercises[name]
  const inPlace = known?.preparedIn === clusterOf(offer)
  giveFiles(exercise)
  if (!inPlace) await setUp(exercise)
  const mine = await updateProgress(now => {
    if (tidied) delete now.exercises[tidied]?.preparedIn
    now.exercises[name] ??= fresh()
    const mine = now.exercises[name]
    // Whatever was done since it was left belongs to another exercise.
    if (now.current !== name) delete mine.seenAt
    work(mine)
    now.current = name
    mine.preparedIn = clusterOf(offer)
    reach(mine, tasks)
    return structuredClone(mine)
  })
  const gone = known && !inPlace && !known.finishedAt ? await goneOf(exercise, tasks, mine, world) : []
  return { resumed: known !== undefined, ...(tidied && { tidied }), gone }
}

const clusterOf = ({ cluster = 'unknown' }: Capabilities): string => cluster

/**
 * Which of the tasks that are done are undone in the cluster. A later task may undo an earlier one on purpose: where the last of them stands, nothing is
 * missing.
 */
async function goneOf(
  exercise: Exercise,
  tasks: Task[],
  progress: ExerciseProgress,
  world?: LabClient,
): Promise<Task[]> {
  const made = tasks.filter(
    ({ id, check }) =>
      progress.tasks[id]?.passedAt && !asksForAnswer(check) && !partsOf(check).every(part => looksAtFiles(part)),
  )
  if (made.length === 0) return []
  const seen = world ?? (await connectLabClient())
  const looks = await Promise.all(
    made.map(task => attempt(task, situation(exercise, progress, task.id, seen), { once: true })),
  )
  return looks.at(-1)!.passed ? [] : made.filter((_, index) => !looks[index]!.passed && !looks[index]!.unable)
}

const fresh = (): ExerciseProgress => {
  const now = new Date().toISOString()
  return { startedAt: now, firstStartedAt: now, resets: 0, tasks: {} }
}

/** Its commands that take back what it changed; an exercise that is gone from labs/ has left nothing that we know of. */
async function tidy(name: string): Promise<boolean> {
  let exercise: Exercise
  try {
    exercise = findExercise(name)
  } catch {
    return false
  }
  if (!exercise.reset) return false
  await runCommands(name, 'the reset', exercise.reset)
  return true
}

/** Puts the files that the exercise comes with into the student's folder, where they are not there yet. */
function giveFiles({ name, folder }: Exercise): void {
  mkdirSync(workFolder(name), { recursive: true })
  const files = join(folder, 'files')
  if (existsSync(files)) cpSync(files, workFolder(name), { recursive: true, force: false })
}

async function setUp({ name, setup }: Exercise): Promise<void> {
  if (setup) await runCommands(name, 'the setup', setup)
}

/** Notes when the student came to the first task that is not done, of those that can be done here. */
function reach(progress: ExerciseProgress, tasks: Task[]): void {
  const next = tasks.find(({ id }) => !progress.tasks[id]?.passedAt)
  if (next) taskProgress(progress, next.id).reachedAt ??= new Date().toISOString()
}

/**
 * The exercise that is meant: the named one, or the one that was started last.
 * @throws LabError when there is none, or it was not started.
 */
export function currentExercise(asked?: string): { exercise: Exercise; progress: ExerciseProgress } {
  const all = readProgress()
  const name = asked ?? all.current
  if (name === undefined)
    throw new LabError({ found: 'no exercise was started', expected: 'one of labs/', next: './lab exercise start 1' })
  const exercise = findExercise(name)
  return { exercise, progress: progressOf(exercise, all) }
}

/** How far an exercise is. @throws LabError when it was not started. */
export function progressOf({ name }: Exercise, all = readProgress()): ExerciseProgress {
  const progress = all.exercises[name]
  if (progress) return progress
  throw new LabError({
    found: `${name} was not started`,
    expected: 'an exercise that was',
    next: `./lab exercise start ${name}`,
  })
}

/** @throws LabError for a task that the exercise does not have. */
export function taskOfExercise({ name, tasks }: Exercise, id: string): Task {
  const task = tasks.find(each => each.id === id)
  if (task) return task
  throw new LabError({
    found: `no task ${id} in ${name}`,
    expected: `one of ${tasks.map(each => each.id).join(', ')}`,
    next: './lab exercise check',
    exitCode: 2,
  })
}

/** A task as `check` tells of it. */
export interface TaskState {
  id: string
  title: string
  points: number
  /**
   * `passed`: by the student; `solved`: by the lab; `failed`: looked at now; `unable`: could not be looked at, and no try; `open`: not come to; `left`: cannot be
   * done here.
   */
  state: 'passed' | 'solved' | 'failed' | 'unable' | 'open' | 'left'
  tries: number
  attempt?: Attempt
  /** The hint that was come to, and its number. */
  hint?: { number: number; of: number; text: string }
  /** For `left`. */
  why?: string
}

export interface Checked {
  exercise: string
  title: string
  tasks: TaskState[]
  points: number
  /** Of the tasks that can be done here. */
  most: number
  finished: boolean
  /** The cluster is another one than the exercise was set up in. */
  moved?: boolean
}

/**
 * Checks what is not done yet: the task that the student is at with patience, those after it at a glance, since some go quicker than the text. What
 * passed once stays passed: a later task may undo what an earlier one asked for.
 * @param options.task check this one alone, done or not.
 * @param options.again check all, also what is done.
 */
export async function check(
  exercise: Exercise,
  offer: Capabilities,
  { task: only, again = false, world }: { task?: string; again?: boolean; world?: LabClient } = {},
): Promise<Checked> {
  if (only !== undefined) taskOfExercise(exercise, only)
  const { tasks, left } = doable(exercise, offer)
  const progress = progressOf(exercise)
  const why = left.find(({ task }) => task.id === only)?.why
  if (why)
    throw new LabError({
      found: `task ${only} ${why}`,
      expected: 'a task that can be done here',
      next: './lab exercise check',
    })
  const open = tasks.filter(({ id }) => (only === undefined ? again || !progress.tasks[id]?.passedAt : id === only))
  const first = open[0]?.id
  const seen = world ?? (open.length > 0 ? await connectLabClient() : undefined)
  const attempts = await Promise.all(
    open.map(task =>
      attempt(task, situation(exercise, progress, task.id, seen!), { once: task.id !== first && !again }),
    ),
  )
  const after = await record(exercise, tasks, attempts, first)
  const moved = offer.cluster !== undefined && after.preparedIn !== undefined && after.preparedIn !== offer.cluster
  return { ...summary(exercise, { tasks, left }, after, attempts, first), ...(moved && { moved }) }
}

/** What a task is checked with. */
export function situation({ name }: Exercise, progress: ExerciseProgress, task: string, world: LabClient) {
  const answer = progress.tasks[task]?.answer
  return {
    world,
    work: workFolder(name),
    workPath: workPath(name),
    startedAt: new Date(progress.startedAt),
    ...(answer && { answer: { value: answer.value, at: new Date(answer.at) } }),
  }
}

/** Writes down what came of it. Tries count for the task that the student is at, and where a wrong way was gone. */
function record(
  exercise: Exercise,
  tasks: Task[],
  attempts: Attempt[],
  first: string | undefined,
): Promise<ExerciseProgress> {
  return updateProgress(all => {
    const progress = all.exercises[exercise.name]!
    work(progress)
    for (const made of attempts) {
      const mine = taskProgress(progress, made.task)
      if (made.passed) {
        if (!mine.passedAt) {
          mine.passedAt = new Date().toISOString()
          if (process.env.LAB_SOLVING) mine.solved = true
        }
      } else if (!mine.passedAt && isTry(made, mine, first)) {
        const { hints } = tasks.find(({ id }) => id === made.task)!
        mine.tries++
        mine.judged = mine.answer?.at
        if (made.deadEnd) {
          const { id } = made.deadEnd
          mine.deadEnds = { ...mine.deadEnds, [id]: (mine.deadEnds?.[id] ?? 0) + 1 }
        }
        if (hintIsDue(made, mine)) mine.hints = Math.min(mine.hints + 1, hints.length)
      }
    }
    reach(progress, tasks)
    if (tasks.every(({ id }) => progress.tasks[id]?.passedAt)) progress.finishedAt ??= new Date().toISOString()
    return structuredClone(progress)
  })
}

/** Whether what failed counts: something was tried, could be looked at, and is not the answer that counted before. */
const isTry = (
  { task, untried, unable, deadEnd }: Attempt,
  { answer, judged }: TaskProgress,
  first?: string,
): boolean =>
  !untried && unable === undefined && (task === first || deadEnd !== undefined) && !(answer && judged === answer.at)

/** A wrong way that is explained for the first time needs no hint; one that is gone again does. */
const hintIsDue = ({ deadEnd }: Attempt, { deadEnds }: TaskProgress): boolean =>
  deadEnd === undefined || (deadEnds?.[deadEnd.id] ?? 0) > 1

/** How an exercise stands. */
export function summary(
  exercise: Exercise,
  { tasks, left }: ReturnType<typeof doable>,
  progress: ExerciseProgress | undefined,
  attempts: Attempt[] = [],
  first?: string,
): Checked {
  const states = exercise.tasks.map((task): TaskState => {
    const { id, title, points } = task
    const mine = progress?.tasks[id]
    const base = { id, title, points, tries: mine?.tries ?? 0 }
    const why = left.find(each => each.task.id === id)?.why
    if (why) return { ...base, state: 'left', why }
    const made = attempts.find(each => each.task === id)
    if (mine?.passedAt && made?.passed !== false)
      return { ...base, state: mine.solved ? 'solved' : 'passed', attempt: made }
    if (made?.unable && id === first) return { ...base, state: 'unable', attempt: made }
    if (made && (id === first || made.deadEnd))
      return {
        ...base,
        state: 'failed',
        attempt: made,
        hint: mine && !made.untried && hintIsDue(made, mine) ? hintAt(task, mine.hints) : undefined,
      }
    return { ...base, state: 'open', attempt: made }
  })
  const done = (id: string): boolean => progress?.tasks[id]?.passedAt !== undefined
  return {
    exercise: exercise.name,
    title: exercise.title,
    tasks: states,
    points: sum(tasks.filter(({ id }) => done(id) && !progress?.tasks[id]?.solved)),
    most: sum(tasks),
    finished: tasks.length > 0 && tasks.every(({ id }) => done(id)),
  }
}

const sum = (tasks: Task[]): number => tasks.reduce((total, { points }) => total + points, 0)

/** A task's hint by its number, from 1. */
const hintAt = ({ hints }: Task, number: number): { number: number; of: number; text: string } | undefined =>
  number < 1 ? undefined : { number, of: hints.length, text: hints[number - 1]! }

/** Notes an answer. Whether it is right is for `check` to say. */
export async function giveAnswer(exercise: Exercise, id: string, value: string): Promise<void> {
  const task = taskOfExercise(exercise, id)
  if (!asksForAnswer(task.check))
    throw new LabError({
      found: `task ${id} asks for no answer`,
      expected: 'something that is done in the lab',
      next: `./lab exercise check`,
      exitCode: 2,
    })
  await updateProgress(all => {
    work(all.exercises[exercise.name]!)
    const mine = taskProgress(all.exercises[exercise.name]!, id)
    mine.answer = { value, at: new Date().toISOString() }
  })
}

/** Shows one hint more of the task that the student is at. */
export async function nextHint(exercise: Exercise, offer: Capabilities, id?: string) {
  const progress = progressOf(exercise)
  const { tasks } = doable(exercise, offer)
  const task = id === undefined ? tasks.find(each => !progress.tasks[each.id]?.passedAt) : taskOfExercise(exercise, id)
  if (!task) return undefined
  const number = await updateProgress(all => {
    work(all.exercises[exercise.name]!)
    const mine = taskProgress(all.exercises[exercise.name]!, task.id)
    mine.hints = Math.min(mine.hints + 1, task.hints.length)
    return mine.hints
  })
  return { task: task.id, title: task.title, ...hintAt(task, number)! }
}

/**
 * Puts an exercise back to its beginning: the cluster by its own commands, its tasks undone. What the student wrote is kept beside.
 * @returns where the student's files went, if there were any.
 */
export async function reset(exercise: Exercise, offer: Capabilities): Promise<string | undefined> {
  if (exercise.reset) await runCommands(exercise.name, 'the reset', exercise.reset)
  const kept = putAside(exercise.name)
  giveFiles(exercise)
  await setUp(exercise)
  await updateProgress(all => {
    const before = all.exercises[exercise.name]
    const after: ExerciseProgress = {
      ...fresh(),
      resets: (before?.resets ?? 0) + 1,
      preparedIn: clusterOf(offer),
      ...(before?.workedSeconds !== undefined && { workedSeconds: before.workedSeconds }),
    }
    all.exercises[exercise.name] = { ...after, firstStartedAt: before?.firstStartedAt ?? after.startedAt }
    all.current = exercise.name
    work(all.exercises[exercise.name]!)
    reach(all.exercises[exercise.name]!, doable(exercise, offer).tasks)
  })
  return kept
}

/** Moves a student's folder out of the way, without losing what is in it. @returns where to, when there was something. */
export function putAside(name: string): string | undefined {
  const work = workFolder(name)
  if (!existsSync(work) || readdirSync(work).length === 0) return undefined
  const kept = labPath('work', `${name}-${new Date().toISOString().replaceAll(/[:.]/g, '')}`)
  // Copied, since `.lab` may be on another disk.
  cpSync(work, kept, { recursive: true })
  rmSync(work, { recursive: true })
  return kept
}

/**
 * Does a task for the student, by the commands of its solution, and checks it.
 * @returns what the commands printed, and the check.
 */
export async function solve(
  exercise: Exercise,
  task: Task,
  offer: Capabilities,
): Promise<{ printed: string; checked: Checked }> {
  const printed = await runCommands(exercise.name, `the solution of ${task.id}`, task.solve, {
    env: { LAB_SOLVING: '1' },
  })
  process.env.LAB_SOLVING = '1'
  try {
    return { printed, checked: await check(exercise, offer, { task: task.id }) }
  } finally {
    delete process.env.LAB_SOLVING
  }
}
