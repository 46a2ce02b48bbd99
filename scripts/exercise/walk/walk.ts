import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectLabClient, type LabClient } from '../check/lab-client.ts'
import { type Capabilities, doableTasks } from '../definition/capabilities.ts'
import { createExercise } from '../definition/create-exercise.ts'
import { type Exercise, readExercise } from '../definition/exercises.ts'
import { exerciseFolders, type Folders } from '../definition/folders.ts'
import type { DeadEnd, Task } from '../definition/schema.ts'
import { checkExercise, solveTask } from '../session/check-exercise.ts'
import { resetExercise, startExercise, undoChanges } from '../session/prepare.ts'
import { runCommands } from '../session/shell.ts'
import { checkRendering } from './rendering.ts'
import { keepStudentFiles } from './student-files.ts'
import { expectDeadEnd, expectFailure, expectPass, type Walk } from './walk-checks.ts'
import { walkRecordedTask } from './walk-recorded.ts'
import { StepFailure, type StepListener, StepRecorder, type WalkStep } from './walk-step.ts'
import { walkText } from './walk-text.ts'

// The test of an exercise: its own text, walked as a student would. Tasks that need a live agent are checked against
// recorded results.

interface WalkOptions {
  listener?: StepListener
  folders?: Folders
  connect?: () => Promise<LabClient>
}

/**
 * Tests an exercise in the running lab. At the start every check fails. Each passes after its part of the text, and not
 * before. Every dead end that can be tried is recognized. The solutions make all checks pass, and a reset makes them
 * fail again. The student's own progress and files are kept.
 * @returns all steps, also those that failed.
 */
export async function walkExercise(
  exercise: Exercise,
  capabilities: Capabilities,
  { listener, folders = exerciseFolders(), connect = connectLabClient }: WalkOptions = {},
): Promise<WalkStep[]> {
  const recorder = new StepRecorder(exercise.name, listener)
  await keepStudentFiles(folders, exercise.name, async ownFolders => {
    const lab = await connect()
    const session = { exercise, capabilities, folders: ownFolders, solving: false, connect: async () => lab }
    const walk: Walk = { session, lab, recorder }
    const { tasks, left } = doableTasks(exercise, capabilities)
    await recorder.run('the text fits a terminal', () => checkRendering(exercise))
    if (tasks.length > 0) await walkTasks(walk, tasks)
    for (const { task, why } of left) await walkRecordedTask(walk, task, why)
    // Not a reset, which would run the setup again.
    await recorder.run('its changes are undone', async () => void (await undoChanges(session, exercise)))
  })
  return recorder.steps
}

/** Tests an unchanged new exercise in a labs folder of its own. */
export async function walkTemplate(capabilities: Capabilities, options: WalkOptions = {}): Promise<WalkStep[]> {
  const labs = mkdtempSync(join(tmpdir(), 'lab-new-'))
  const folders = { ...(options.folders ?? exerciseFolders()), labs }
  try {
    const exercise = readExercise(createExercise('made-by-new', labs), labs)
    return await walkExercise(exercise, capabilities, { ...options, folders })
  } finally {
    rmSync(labs, { recursive: true, force: true })
  }
}

async function walkTasks(walk: Walk, tasks: Task[]): Promise<void> {
  const { session, recorder } = walk
  if (!(await recorder.run('it starts', async () => void (await startExercise(session))))) return
  await expectAllFail(walk, tasks, 'at the start')
  await walkText(walk, tasks)
  await tryDeadEnds(walk, tasks)
  await recorder.run('a reset after the text', async () => void (await resetExercise(session)))
  for (const task of tasks) await trySolution(walk, task)
  await recorder.run('it is finished after the solutions', async () => {
    const { finished } = await checkExercise(session)
    if (!finished) throw new StepFailure('it is not finished')
  })
  await recorder.run('a reset after the solutions', async () => void (await resetExercise(session)))
  await expectAllFail(walk, tasks, 'after a reset')
}

const expectAllFail = (walk: Walk, tasks: Task[], when: string): Promise<unknown> =>
  Promise.all(tasks.map(task => expectFailure(walk, task, when)))

async function trySolution(walk: Walk, task: Task): Promise<void> {
  const { session, recorder } = walk
  const solved = await recorder.run(`the solution of ${task.id}`, async () => void (await solveTask(session, task)))
  if (solved) await expectPass(walk, task, 'after its solution')
}

/** Follows each dead end that exercise.yaml has commands for. It must be recognized. */
async function tryDeadEnds(walk: Walk, tasks: Task[]): Promise<void> {
  for (const [index, task] of tasks.entries())
    for (const deadEnd of task.deadEnds) {
      const enter = (commands: string) => enterDeadEnd(walk, tasks.slice(0, index), deadEnd, commands)
      await expectDeadEnd(walk, task, deadEnd, enter)
    }
}

async function enterDeadEnd({ session }: Walk, earlier: Task[], { id }: DeadEnd, commands: string): Promise<void> {
  const { exercise, folders } = session
  const shell = { name: exercise.name, folders }
  await resetExercise(session)
  for (const each of earlier) await runCommands(shell, `the solution of ${each.id}`, each.solve)
  // A wrong answer makes `lab exercise answer` exit with 1, so the last command is `true`.
  await runCommands(shell, `the dead end ${id}`, `${commands}\ntrue`, { lenient: true })
}
