import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { LabError } from '../../../shared/lab-error.ts'
import { labPath, projectDir } from '../../../shared/paths.ts'
import { type Attempt, attempt } from '../check/attempt.ts'
import { connectLabClient, type LabClient } from '../check/lab-client.ts'
import type { Situation } from '../check/run-check.ts'
import { type Exercise, readExercise, workFolder } from '../definition/exercises.ts'
import { type Capabilities, doable, obstacle } from '../definition/requirements.ts'
import { type Check, type DeadEnd, kindOf, looksAtFiles, partsOf, type Task } from '../definition/schema.ts'
import { newExercise } from '../definition/skeleton.ts'
import { type Code, missingLine } from '../definition/text.ts'
import { check, progressOf, reset, situation, solve, start } from '../session/session.ts'
import { runCommands, studentTerminal } from '../session/shell.ts'
import { render } from '../view/render.ts'
import { BlockShell } from './block-shell.ts'
import { recordedWorld, recordingWords, runsInPod } from './recorded-lab.ts'

// The test of an exercise: its own text, walked as a student would. What can only be done live is held against recorded data instead.

/** One thing that the walk saw. */
export interface Step {
  exercise: string
  what: string
  /** `skip` says in `found` why. */
  result: 'ok' | 'fail' | 'skip'
  found: string
  seconds: number
}

type Report = (step: Step) => void

/**
 * Walks an exercise in the lab that runs here:
 * at the beginning every check fails; each passes once its step of the text is done, and not before; every dead end that can be tried is recognised; the
 * solutions make all pass; a reset makes all fail again. The student's own progress and files stay as they are.
 * @returns all steps, those that failed included.
 */
export async function walk(exercise: Exercise, offer: Capabilities, report: Report = () => {}): Promise<Step[]> {
  const steps: Step[] = []
  const note: Report = step => {
    steps.push(step)
    report(step)
  }
  await aside(exercise.name, async () => {
    const world = await connectLabClient()
    const walker = new Walker(exercise, offer, world, note)
    const { tasks, left } = doable(exercise, offer)
    note({ exercise: exercise.name, what: 'the text is rendered', ...rendered(exercise), seconds: 0 })
    if (tasks.length > 0) await walker.all(tasks)
    for (const { task, why } of left) await walker.recorded(task, why)
    // Not a reset, which would set the exercise up again.
    await walker.step('what it changed is taken back', async () => {
      if (exercise.reset) await runCommands(exercise.name, 'the reset', exercise.reset)
      return undefined
    })
  })
  return steps
}

/** Walks an exercise as `exercise new` makes it, in a labs folder of its own: what a teacher begins with must run. */
export async function walkNew(offer: Capabilities, report?: Report): Promise<Step[]> {
  const before = process.env.LAB_LABS
  const folder = mkdtempSync(join(tmpdir(), 'lab-new-'))
  process.env.LAB_LABS = folder
  try {
    return await walk(readExercise(newExercise('made-by-new')), offer, report)
  } finally {
    if (before === undefined) delete process.env.LAB_LABS
    else process.env.LAB_LABS = before
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The page as a terminal of 80 columns shows it: every command whole, every task, no mark of Markdown left, and prose that is not cut off. */
export function rendered({ text: { tokens, items }, tasks }: Exercise): Pick<Step, 'result' | 'found'> {
  const lines = stripVTControlCharacters(render(tokens, { width: 80, task: id => `○ ${id}` })).split('\n')
  const code = items.flatMap(item => (item.kind === 'code' ? item.code.split('\n').filter(line => line.trim()) : []))
  const prose = lines.filter(
    line => !/[│┌├└┆]/.test(line) && !code.some(each => line.includes(each)) && !/^ {4}/.test(line),
  )
  const problem =
    code.filter(each => !lines.some(line => line.endsWith(each))).map(each => `a command is not whole: ${each}`)[0] ??
    tasks
      .filter(({ id }) => !lines.some(line => line.endsWith(`○ ${id}`)))
      .map(({ id }) => `task ${id} is not shown`)[0] ??
    prose.filter(line => /(^|\s)\*\*\w|\]\(|^#+ /.test(line)).map(line => `Markdown is left: ${line}`)[0] ??
    prose.filter(line => line.length > 80 && line.trim().includes(' ')).map(line => `wider than 80 columns: ${line}`)[0]
  return problem === undefined ? { result: 'ok', found: `${lines.length} lines` } : { result: 'fail', found: problem }
}

/** Does something while the student's progress and folder are out of the way, and puts them back, also when it is interrupted. */
async function aside(name: string, work: () => Promise<void>): Promise<void> {
  const folder = workFolder(name)
  const kept = labPath('walk', name)
  const progress = labPath('walk', `${name}.json`)
  const before = process.env.LAB_PROGRESS
  const had = existsSync(folder)
  rmSync(kept, { recursive: true, force: true })
  if (had) cpSync(folder, kept, { recursive: true })
  const putBack = (): void => {
    rmSync(progress, { force: true })
    if (before === undefined) delete process.env.LAB_PROGRESS
    else process.env.LAB_PROGRESS = before
    rmSync(folder, { recursive: true, force: true })
    if (had) cpSync(kept, folder, { recursive: true })
    rmSync(kept, { recursive: true, force: true })
  }
  const interrupted = (): void => {
    putBack()
    process.exit(130)
  }
  process.once('SIGINT', interrupted)
  process.env.LAB_PROGRESS = progress
  rmSync(progress, { force: true })
  rmSync(folder, { recursive: true, force: true })
  try {
    await work()
  } finally {
    process.off('SIGINT', interrupted)
    putBack()
  }
}

class Walker {
  readonly #exercise: Exercise
  readonly #offer: Capabilities
  readonly #world: LabClient
  readonly #note: Report

  constructor(exercise: Exercise, offer: Capabilities, world: LabClient, note: Report) {
    this.#exercise = exercise
    this.#offer = offer
    this.#world = world
    this.#note = note
  }

  /** Does something that must not throw. @returns whether it went well. */
  async step(what: string, work: () => Promise<string | undefined>): Promise<boolean> {
    const began = performance.now()
    const done = (result: Step['result'], found: string): boolean => {
      this.#note({ exercise: this.#exercise.name, what, result, found, seconds: (performance.now() - began) / 1000 })
      return result === 'ok'
    }
    try {
      return done('ok', (await work()) ?? '')
    } catch (error) {
      if (error instanceof Failure) return done('fail', error.message)
      if (error instanceof LabError) return done('fail', error.found)
      throw error
    }
  }

  #skip(what: string, why: string): void {
    this.#note({ exercise: this.#exercise.name, what, result: 'skip', found: why, seconds: 0 })
  }

  async all(tasks: Task[]): Promise<void> {
    const exercise = this.#exercise
    if (!(await this.step('it starts', async () => void (await start(exercise, this.#offer))))) return
    await this.#allFail(tasks, 'at the beginning')
    await this.#text(tasks)
    await this.#deadEnds(tasks)
    await this.step('a reset after the text', async () => void (await reset(exercise, this.#offer)))
    for (const task of tasks) await this.#solve(task)
    await this.step('the solutions finish it', async () => {
      const { finished } = await check(exercise, this.#offer, { world: this.#world })
      if (!finished) throw new Failure('it is not finished')
      return undefined
    })
    await this.step('a reset after the solutions', async () => void (await reset(exercise, this.#offer)))
    await this.#allFail(tasks, 'after a reset')
  }

  #situation(task: string): Omit<Situation, 'now' | 'task'> {
    return situation(this.#exercise, progressOf(this.#exercise), task, this.#world)
  }

  async #allFail(tasks: Task[], when: string): Promise<void> {
    await Promise.all(tasks.map(task => this.#fails(task, when)))
  }

  #fails(task: Task, when: string): Promise<boolean> {
    return this.step(`${task.id} fails ${when}`, async () => {
      const { passed, found } = await attempt(task, this.#situation(task.id), { once: true })
      if (passed) throw new Failure(`it passes: ${found}`)
      return found
    })
  }

  #passes(task: Task, when: string): Promise<boolean> {
    return this.step(`${task.id} passes ${when}`, async () => {
      const { tasks } = await check(this.#exercise, this.#offer, { task: task.id, world: this.#world })
      const { attempt: made } = tasks.find(({ id }) => id === task.id)!
      if (!made?.passed)
        throw new Failure(
          `${made?.found}; expected ${made?.expected}${made?.deadEnd ? ` (dead end ${made.deadEnd.id})` : ''}`,
        )
      return made.found
    })
  }

  async #solve(task: Task): Promise<void> {
    const solved = await this.step(
      `the solution of ${task.id}`,
      async () => void (await solve(this.#exercise, task, this.#offer)),
    )
    if (solved) await this.#passes(task, 'after its solution')
  }

  /** The text from top to bottom, in one shell. */
  async #text(tasks: Task[]): Promise<void> {
    const { items } = this.#exercise.text
    const shell = new BlockShell(projectDir, studentTerminal())
    try {
      for (const [index, item] of items.entries()) {
        const task = item.task === undefined ? undefined : tasks.find(({ id }) => id === item.task)
        // Whether a block does the task that this item belongs to. Where the task is to write something, a command in its quote is what looks at it.
        const own = (at: number): boolean => {
          const other = items[at]
          if (other?.kind !== 'code' || task === undefined || other.task !== task.id) return false
          return !(other.span && partsOf(task.check).some(looksAtFiles))
        }
        if (item.task !== undefined && !task) {
          if (item.kind === 'task') this.#skip(`text line ${item.line}, task ${item.task}`, 'cannot be done here')
          continue
        }
        if (item.kind === 'task') {
          if (items.some((_, at) => own(at))) continue
          await this.#fails(task!, 'before its step')
          await this.step(
            `${task!.id}: the student's part`,
            async () => void (await runCommands(this.#exercise.name, `the solution of ${task!.id}`, task!.solve)),
          )
          await this.#passes(task!, 'after its step')
          continue
        }
        if (own(index) && !items.slice(0, index).some((_, at) => own(at))) await this.#fails(task!, 'before its step')
        await this.#block(item, shell)
        if (own(index) && !items.slice(index + 1).some((_, at) => own(index + 1 + at)))
          await this.#passes(task!, 'after its step')
      }
    } finally {
      shell.close()
    }
  }

  async #block(block: Code, shell: BlockShell): Promise<void> {
    const what = `text line ${block.line}`
    if (block.noTest !== undefined) return this.#skip(what, block.noTest)
    await this.step(what, async () => {
      if (block.file !== undefined) {
        const file = join(projectDir, block.file)
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, `${block.code}\n`)
        return `wrote ${block.file}`
      }
      const { exitCode, output } =
        block.seconds === undefined
          ? await shell.run(block.code, {
              lenient: block.expectError,
              ...(block.timeout !== undefined && { timeout: block.timeout * 1000 }),
            })
          : await shell.runFor(block.code, block.seconds)
      const end = output.trim().split('\n').at(-1)!.slice(0, 200)
      if (block.expectError ? exitCode === 0 : exitCode !== 0) throw new Failure(`it ended with ${exitCode}: ${end}`)
      if (block.seconds !== undefined && output.trim() === '')
        throw new Failure(`it printed nothing in ${block.seconds} s`)
      for (const { text } of block.outputs.filter(
        ({ source }) => source === undefined || source === this.#offer.source,
      )) {
        const missing = missingLine(text, output)
        if (missing !== undefined)
          throw new Failure(`the text shows "${missing}", but it printed: ${output.trim().slice(0, 600)}`)
      }
      return end
    })
  }

  /** Goes each wrong way that the exercise.yaml knows how to go, and expects to be told. */
  async #deadEnds(tasks: Task[]): Promise<void> {
    for (const [index, task] of tasks.entries())
      for (const deadEnd of task.deadEnds) {
        if (deadEnd.try === undefined)
          this.#skip(`dead end ${deadEnd.id} of ${task.id}`, 'its exercise.yaml does not say how to get into it')
        else await this.#deadEnd(tasks.slice(0, index), task, deadEnd as DeadEnd & { try: string })
      }
  }

  #deadEnd(before: Task[], task: Task, deadEnd: DeadEnd & { try: string }): Promise<boolean> {
    return this.step(`dead end ${deadEnd.id} of ${task.id}`, async () => {
      await reset(this.#exercise, this.#offer)
      for (const each of before) await runCommands(this.#exercise.name, `the solution of ${each.id}`, each.solve)
      // An answer that is wrong ends with an error, as it should.
      await runCommands(this.#exercise.name, `the way into ${deadEnd.id}`, `${deadEnd.try}\ntrue`, { lenient: true })
      const made = await attempt(task, this.#situation(task.id))
      if (made.passed) throw new Failure(`the wrong way passes: ${made.found}`)
      if (made.deadEnd?.id !== deadEnd.id)
        throw new Failure(made.deadEnd ? `taken for ${made.deadEnd.id}` : `not recognised: ${made.found}`)
      return made.found
    })
  }

  /**
   * A task that cannot be done here. What stands in the cluster or in a file is one live or not, and is walked as ever; the rest of its check is held
   * against recorded data: of before it was done, and of after.
   */
  async recorded(task: Task, why: string): Promise<void> {
    const anywhere = { ...this.#offer, source: 'live' as const, features: allFeatures(this.#offer) }
    const elsewhere = [this.#exercise.needs, task.needs].some(needs => needs && obstacle(needs, anywhere) !== undefined)
    if (elsewhere) return this.#skip(task.id, why)
    const { before, after, missing } = task.recorded ?? {}
    const kinds = kindsIn(task.check)
    const lacking = [
      ...(kinds.includes('agent') && !after?.agent ? ['the agent'] : []),
      ...(partsOf(task.check).some(({ run }) => run && runsInPod(run.command)) && !after?.transcript ? ['a pod'] : []),
    ]
    if (missing === undefined && lacking.length > 0) {
      await this.step(`${task.id} on recorded data`, async () => {
        throw new Failure(
          `its check looks at ${lacking.join(' and ')}, of which its exercise.yaml has no recording (${why})`,
        )
      })
      return
    }
    const earlier = this.#exercise.tasks.slice(0, this.#exercise.tasks.indexOf(task))
    const afresh = async (): Promise<void> => {
      await reset(this.#exercise, anywhere)
      for (const each of earlier) await this.#asFarAsItGoes(each.solve)
    }
    const look = async (world: LabClient, once: boolean): Promise<Attempt> => {
      // A round of the recording takes about a minute and a half.
      const startedAt = new Date(Date.now() - 15 * 60_000)
      const made = await attempt(task, { ...this.#situation(task.id), startedAt, world }, { once })
      if (made.unable) throw new Failure(made.found)
      return made
    }
    const notDone = recordedWorld(this.#world, before ?? { as: {} })
    const ready = await this.step(`${task.id}: what comes before it`, async () => {
      await start(this.#exercise, anywhere)
      await afresh()
      return undefined
    })
    if (!ready) return
    await this.step(`${task.id} fails before it is done${before ? ` (${recordingWords(before)})` : ''}`, async () => {
      const made = await look({ ...notDone, promql: async () => [], logql: async () => [] }, true)
      if (made.passed) throw new Failure(`it passes: ${made.found}`)
      return made.found
    })
    if (missing !== undefined) return this.#skip(`${task.id} on recorded data`, missing)
    await this.#asFarAsItGoes(task.solve)
    const queries = kinds.some(kind => kind === 'logql' || kind === 'promql' || kind === 'answer')
    const data = after ? recordingWords(after) : queries ? 'the replayed events' : 'files and the API server'
    await this.step(`${task.id} passes on recorded data (${data})`, async () => {
      const made = await look(after ? recordedWorld(this.#world, after) : this.#world, false)
      if (!made.passed) throw new Failure(`${made.found}; expected ${made.expected}`)
      return made.found
    })
    for (const deadEnd of task.deadEnds) {
      const what = `dead end ${deadEnd.id} of ${task.id}`
      if (deadEnd.try === undefined) this.#skip(what, 'its exercise.yaml does not say how to get into it')
      else
        await this.step(what, async () => {
          await afresh()
          await this.#asFarAsItGoes(deadEnd.try!)
          // Without an agent nothing stops a program in a pod, as after most wrong ways: that much is real here.
          const made = await look({ ...notDone, run: this.#world.run }, false)
          if (made.deadEnd?.id !== deadEnd.id) throw new Failure(`not recognised: ${made.found}`)
          return made.found
        })
    }
  }

  /** Runs commands of which some need what is not here. */
  async #asFarAsItGoes(commands: string): Promise<void> {
    await runCommands(this.#exercise.name, 'the solution', `${commands}\ntrue`, { lenient: true })
  }
}

/** What the walk found not to be as it should. */
class Failure extends Error {}

const allFeatures = ({ features }: Capabilities): Capabilities['features'] =>
  Object.fromEntries(Object.keys(features).map(name => [name, true])) as Capabilities['features']

/** Every kind of check within a check. */
function kindsIn(check: Check): (keyof Check)[] {
  const inner = [...(check.all ?? []), ...(check.any ?? []), ...(check.not ? [check.not] : [])]
  return inner.length > 0 ? inner.flatMap(kindsIn) : [kindOf(check)]
}
