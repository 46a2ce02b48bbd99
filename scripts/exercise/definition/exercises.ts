import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import leven from 'leven'
import { z } from 'zod'
import { LabError } from '../../../shared/lab-error.ts'
import { projectDir } from '../../../shared/paths.ts'
import { at, explainSchemaError, type JsonSchema } from '../../../shared/validation/schema-errors.ts'
import { readSingle } from '../../../shared/validation/yaml-source.ts'
import { type ExerciseFile, exerciseSchema } from './schema.ts'
import { parseText, type Text } from './text.ts'

/** An exercise: its exercise.yaml, its text, and where it is. */
export interface Exercise extends ExerciseFile {
  /** Name of its folder: `04-find-the-reader`. */
  name: string
  /** Its folder, absolute. */
  folder: string
  text: Text
}

/** Where exercises are: `labs` in the checkout; `LAB_LABS` names another folder, for tests. */
export const labsFolder = (): string => process.env.LAB_LABS ?? join(projectDir, 'labs')

/** A student's own folder for an exercise: `work/NAME` in the checkout; `LAB_WORK` names another place than `work`, for tests. */
export const workFolder = (name: string): string => join(process.env.LAB_WORK ?? join(projectDir, 'work'), name)

/** How a text calls it. */
export const workPath = (name: string): string => `work/${name}`

/** Names of all exercises, in order. */
export const exerciseNames = (folder = labsFolder()): string[] =>
  existsSync(folder)
    ? readdirSync(folder, { withFileTypes: true })
        .filter(entry => entry.isDirectory() && existsSync(join(folder, entry.name, 'exercise.yaml')))
        .map(entry => entry.name)
        .sort()
    : []

/** All exercises, in order. @throws LabError for the first that is not sound. */
export const readExercises = (folder = labsFolder()): Exercise[] =>
  exerciseNames(folder).map(name => readExercise(name, folder))

/**
 * The exercise that a person means: by its whole name, its number, or the words after it.
 * @throws LabError when there is none, naming the nearest.
 */
export function findExercise(asked: string, folder = labsFolder()): Exercise {
  const names = exerciseNames(folder)
  const wanted = asked.replace(/^labs\//, '').replace(/\/$/, '')
  const found =
    names.find(name => name === wanted) ??
    names.find(name => /^\d+$/.test(wanted) && Number(name.split('-')[0]) === Number(wanted)) ??
    names.find(name => name.replace(/^\d+-/, '') === wanted)
  if (found) return readExercise(found, folder)
  const near = names.toSorted(
    (a, b) => leven(a.replace(/^\d+-/, ''), wanted) - leven(b.replace(/^\d+-/, ''), wanted),
  )[0]
  throw new LabError({
    found: `no exercise ${asked}`,
    expected: near
      ? `${/^\d+$/.test(wanted) ? `a number up to ${Number.parseInt(names.at(-1)!, 10)}, or a name` : 'one of them'}, such as ${near}`
      : 'exercises in labs/',
    next: './lab exercise list',
    exitCode: 2,
  })
}

/**
 * Reads and checks one exercise.
 * @throws LabError for what its exercise.yaml or its text may not say: file and line, what was found, what would be right.
 */
export function readExercise(name: string, folder = labsFolder()): Exercise {
  const parsed = parseExercise(readFileSync(join(folder, name, 'exercise.yaml'), 'utf8'), name)
  const readme = join(folder, name, 'README.md')
  if (!existsSync(readme)) throw wrong(name, 'README.md', 'no such file')
  const exercise = { ...parsed, name, folder: join(folder, name), text: parseText(readFileSync(readme, 'utf8')) }
  const problem = textProblem(exercise)
  if (problem) throw wrong(name, 'README.md', problem)
  return exercise
}

/**
 * Reads the text of a exercise.yaml.
 * @param name of its exercise, for the errors.
 * @throws LabError as `readExercise`.
 */
export function parseExercise(text: string, name: string): ExerciseFile {
  const document = readSingle(text)
  const [broken] = document.errors
  if (broken) throw wrong(name, `exercise.yaml, line ${broken.line}`, broken.message)
  const parsed = exerciseSchema.safeParse(document.value)
  if (parsed.success) return parsed.data
  known ??= z.toJSONSchema(exerciseSchema, { io: 'input' }) as JsonSchema
  const { path, found, expected } = explainSchemaError(parsed.error, document.value, known)
  throw wrong(name, `exercise.yaml, line ${document.line(path)}`, byTaskId(found, document.value), expected)
}

let known: JsonSchema | undefined

/** `tasks[2].check` as `task pod: check`: who writes an exercise counts no tasks. */
function byTaskId(found: string, value: unknown): string {
  const [, index, rest] = /^(?:unknown key )?tasks\[(\d+)\]\.?(.*)$/s.exec(found) ?? []
  const id = index === undefined ? undefined : at(value, ['tasks', Number(index), 'id'])
  if (typeof id !== 'string' || !/^[\w-]+$/.test(id)) return found
  return `task ${id}: ${found.startsWith('unknown key ') ? 'unknown key ' : ''}${rest}`
}

const wrong = (
  name: string,
  where: string,
  found: string,
  expected = 'an exercise as docs/writing-exercises.md describes it',
): LabError =>
  new LabError({
    found: `labs/${name}/${where}: ${found}`,
    expected,
    next: `mend labs/${name}/${where.split(',')[0]}, then ./lab exercise test ${name}`,
  })

/** What is wrong between a text and its tasks. */
function textProblem({ text, tasks }: Exercise): string | undefined {
  const known = new Set(tasks.map(task => task.id))
  const placed: string[] = []
  for (const item of text.items) {
    if (item.problem) return `line ${item.line}: ${item.problem}`
    const id = item.kind === 'task' ? item.task : item.kind === 'code' ? item.task : undefined
    if (id === undefined) continue
    if (!known.has(id)) return `line ${item.line}: exercise.yaml has no task ${id}`
    if (item.kind === 'task') {
      if (placed.includes(id)) return `line ${item.line}: task ${id} stands here a second time`
      placed.push(id)
    }
  }
  const missing = tasks.find(task => !placed.includes(task.id))
  if (missing) return `task ${missing.id} has no place in it: write a line "> **Task ${missing.id}**: …" there`
  const order = tasks.map(task => task.id)
  if (placed.join() !== order.join())
    return `its tasks come as ${placed.join(', ')}, those of exercise.yaml as ${order.join(', ')}`
  return undefined
}
