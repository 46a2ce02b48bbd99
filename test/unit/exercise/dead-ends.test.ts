import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { attempt } from '../../../scripts/exercise/check/attempt.ts'
import { readFiles } from '../../../scripts/exercise/check/lab-client.ts'
import { readExercises } from '../../../scripts/exercise/definition/exercises.ts'
import { type Check, kindOf, type Task } from '../../../scripts/exercise/definition/schema.ts'
import { projectDir } from '../../../shared/paths.ts'
import { fakeWorld } from '../../fakes/world.ts'

// Tasks whose work is a file, done rightly and wrongly without a lab: the solution passes, and each wrong solution gets into the dead end that is named for it.

const work = mkdtempSync(join(tmpdir(), 'lab-dead-ends-'))
afterAll(() => rmSync(work, { recursive: true, force: true }))
const environment = { ...process.env, WORK: work, PATH: `${dirname(process.execPath)}:${process.env.PATH}` }

/** Whether a check looks at the student's folder alone: at a policy in it, or at what a program of the exercise makes of a file. */
const local = (check: Check): boolean =>
  kindOf(check) === 'policy' ? check.policy!.in === 'work' : check.run?.command.startsWith('node labs/') === true

/** The cluster is a fake one, without anything in it; the student's folder, and commands that look at it, are real. */
const world = {
  ...fakeWorld(),
  files: readFiles,
  run: async (command: string) => {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', command], {
      cwd: projectDir,
      env: environment,
      encoding: 'utf8',
    })
    return { exitCode: status ?? 1, stdout, stderr }
  },
}

const shell = (commands: string): void =>
  void execFileSync('bash', ['-euo', 'pipefail', '-c', commands], { cwd: projectDir, env: environment, stdio: 'pipe' })

const look = (task: Task) => attempt(task, { world, work, workPath: 'work/x', startedAt: new Date() }, { once: true })

const exercises = readExercises()
  .map(({ name, folder, tasks }) => ({ name, folder, tasks: tasks.filter(({ check }) => local(check)) }))
  .filter(({ tasks }) => tasks.length > 0)

it('covers wrong solutions of several exercises', () => {
  const wrong = exercises.flatMap(({ tasks }) => tasks.flatMap(({ deadEnds }) => deadEnds.filter(each => each.try)))
  expect(exercises.length).toBeGreaterThanOrEqual(5)
  expect(wrong.length).toBeGreaterThanOrEqual(20)
})

describe.each(exercises)('$name', ({ folder, tasks }) => {
  beforeEach(() => {
    for (const name of readdirSync(work)) rmSync(join(work, name), { recursive: true })
    const files = join(folder, 'files')
    if (existsSync(files)) for (const name of readdirSync(files)) copyFileSync(join(files, name), join(work, name))
  })

  describe.each(tasks)('$id', task => {
    it('is not done at the beginning, and is by its solution', async () => {
      expect((await look(task)).passed).toBe(false)
      shell(task.solve)
      const { passed, found } = await look(task)
      expect(passed, found).toBe(true)
    })

    const wrong = task.deadEnds.filter((each): each is typeof each & { try: string } => each.try !== undefined)
    it.runIf(wrong.length > 0).each(wrong)('$id is recognised', async ({ id, try: way }) => {
      shell(way)
      const { passed, deadEnd, found } = await look(task)
      expect(passed).toBe(false)
      expect(deadEnd?.id, found).toBe(id)
    })
  })
})
