import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { copyFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { afterAll, describe, expect, it } from 'vitest'
import { checkTask } from '../../../../scripts/exercise/check/check-task.ts'
import { readWorkFiles } from '../../../../scripts/exercise/check/lab-client.ts'
import { type Check, kindOf } from '../../../../scripts/exercise/definition/check-schema.ts'
import { readExercises } from '../../../../scripts/exercise/definition/exercises.ts'
import type { Task } from '../../../../scripts/exercise/definition/schema.ts'
import { labPath, projectDir } from '../../../../shared/paths.ts'
import { fakeLabClient } from '../../../fakes/lab-client.ts'

// Tasks whose result is a file. They need no lab: the solution must pass, and each wrong solution must be recognized as
// its dead end.

const root = mkdtempSync(join(tmpdir(), 'lab-dead-ends-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Tells whether a check reads only the student's files: a policy, or the output of one of the exercise's programs. */
const readsOnlyFiles = (check: Check): boolean =>
  kindOf(check) === 'policy' ? check.policy!.in === 'work' : check.run?.command.startsWith('node labs/') === true

const bash = (commands: string, work: string, options: string[] = []) =>
  execa('bash', [...options, '-c', commands], {
    cwd: projectDir,
    env: {
      WORK: work,
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      // As ./lab sets it: the exercises' programs then start in half the time.
      NODE_COMPILE_CACHE: labPath('cache', 'compile'),
    },
    reject: false,
  })

/** Copies the files of the exercise into a new student's folder, and runs these commands there. */
async function workAfter(folder: string, commands?: string): Promise<string> {
  const work = mkdtempSync(join(root, 'work-'))
  const files = join(folder, 'files')
  if (existsSync(files)) for (const name of readdirSync(files)) await copyFile(join(files, name), join(work, name))
  if (commands === undefined) return work
  const { failed, stderr } = await bash(commands, work, ['-euo', 'pipefail'])
  expect(failed, stderr).toBe(false)
  return work
}

/** Checks a task in an empty cluster, with the real files and programs. */
function checkFiles(task: Task, work: string) {
  const lab = {
    ...fakeLabClient(),
    files: readWorkFiles,
    run: async (command: string) => {
      const { exitCode = 1, stdout, stderr } = await bash(command, work)
      return { exitCode, stdout, stderr }
    },
  }
  return checkTask(task, { lab, work, workPath: 'work/x', startedAt: new Date() }, { once: true })
}

const exercises = readExercises()
  .map(({ name, folder, tasks }) => ({ name, folder, tasks: tasks.filter(({ check }) => readsOnlyFiles(check)) }))
  .filter(({ tasks }) => tasks.length > 0)

it('covers at least 20 dead ends of at least 5 exercises', () => {
  const deadEnds = exercises.flatMap(({ tasks }) => tasks.flatMap(task => task.deadEnds.filter(each => each.try)))
  expect(exercises.length).toBeGreaterThanOrEqual(5)
  expect(deadEnds.length).toBeGreaterThanOrEqual(20)
})

describe.concurrent.each(exercises)('$name', ({ folder, tasks }) => {
  describe.each(tasks)('$id', task => {
    it('fails without the student’s work', async () => {
      expect((await checkFiles(task, await workAfter(folder))).passed).toBe(false)
    })

    it('passes with the solution', async () => {
      const { passed, found } = await checkFiles(task, await workAfter(folder, task.solve))
      expect(passed, found).toBe(true)
    })

    const deadEnds = task.deadEnds.filter((each): each is typeof each & { try: string } => each.try !== undefined)
    it.runIf(deadEnds.length > 0).each(deadEnds)('recognizes the dead end $id', async ({ id, try: commands }) => {
      const { passed, deadEnd, found } = await checkFiles(task, await workAfter(folder, commands))
      expect(passed).toBe(false)
      expect(deadEnd?.id, found).toBe(id)
    })
  })
})
