import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import leven from 'leven'
import { z } from 'zod'
import { LabError } from '../../../shared/lab-error.ts'
import { at, explainSchemaError, type JsonSchema } from '../../../shared/validation/schema-errors.ts'
import { readSingle } from '../../../shared/validation/yaml-source.ts'
import { exerciseFolders } from './folders.ts'
import { type ExerciseFile, exerciseSchema } from './schema.ts'
import { type ExerciseText, parseExerciseText } from './text.ts'

/** An exercise: its exercise.yaml and its text. */
export interface Exercise extends ExerciseFile {
  /** Name of its folder: `04-find-the-reader`. */
  name: string
  /** Absolute path of its folder. */
  folder: string
  text: ExerciseText
}

/** Returns the names of all exercises, in order. */
export function exerciseNames(labs = exerciseFolders().labs): string[] {
  if (!existsSync(labs)) return []
  return readdirSync(labs, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && existsSync(join(labs, entry.name, 'exercise.yaml')))
    .map(entry => entry.name)
    .sort()
}

/** Reads all exercises, in order. @throws LabError for the first that is invalid. */
export const readExercises = (labs = exerciseFolders().labs): Exercise[] =>
  exerciseNames(labs).map(name => readExercise(name, labs))

/**
 * Reads the exercise with this name, number, or name without the number.
 * @throws LabError when there is none.
 */
export function findExercise(given: string, labs = exerciseFolders().labs): Exercise {
  const names = exerciseNames(labs)
  const wanted = given.replace(/^labs\//, '').replace(/\/$/, '')
  const found =
    names.find(name => name === wanted) ??
    names.find(name => /^\d+$/.test(wanted) && Number(name.split('-')[0]) === Number(wanted)) ??
    names.find(name => withoutNumber(name) === wanted)
  if (found) return readExercise(found, labs)
  throw new LabError({
    found: `There is no exercise ${given}`,
    expected: describeNearest(names, wanted),
    next: './lab exercise list',
    exitCode: 2,
  })
}

const withoutNumber = (name: string): string => name.replace(/^\d+-/, '')

function describeNearest(names: string[], wanted: string): string {
  const distance = (name: string): number => leven(withoutNumber(name), wanted)
  const nearest = names.toSorted((a, b) => distance(a) - distance(b))[0]
  if (!nearest) return 'exercises in labs/'
  const choice = /^\d+$/.test(wanted) ? `a number up to ${Number.parseInt(names.at(-1)!, 10)}, or a name` : 'a name'
  return `${choice}, such as ${nearest}`
}

/**
 * Reads and validates one exercise.
 * @throws LabError with the file and line of the first mistake in its exercise.yaml or its text.
 */
export function readExercise(name: string, labs = exerciseFolders().labs): Exercise {
  const folder = join(labs, name)
  const file = parseExercise(readFileSync(join(folder, 'exercise.yaml'), 'utf8'), name)
  const readme = join(folder, 'README.md')
  if (!existsSync(readme)) throw invalid(name, 'README.md', 'the file is missing')
  const exercise = { ...file, name, folder, text: parseExerciseText(readFileSync(readme, 'utf8')) }
  const problem = textProblem(exercise)
  if (problem) throw invalid(name, 'README.md', problem)
  return exercise
}

/**
 * Parses and validates an exercise.yaml.
 * @param name of the exercise, for errors.
 * @throws LabError with the line of the first mistake.
 */
export function parseExercise(text: string, name: string): ExerciseFile {
  const document = readSingle(text)
  const [syntaxError] = document.errors
  if (syntaxError) throw invalid(name, `exercise.yaml, line ${syntaxError.line}`, syntaxError.message)
  const parsed = exerciseSchema.safeParse(document.value)
  if (parsed.success) return parsed.data
  jsonSchema ??= z.toJSONSchema(exerciseSchema, { io: 'input' }) as JsonSchema
  const { path, found, expected } = explainSchemaError(parsed.error, document.value, jsonSchema)
  throw invalid(name, `exercise.yaml, line ${document.line(path)}`, nameTask(found, document.value), expected)
}

/** Made on the first error: it takes longer than reading an exercise. */
let jsonSchema: JsonSchema | undefined

/** Replaces `tasks[2].check` by `task pod: check`, because authors do not count tasks. */
function nameTask(found: string, value: unknown): string {
  const [, index, rest] = /^tasks\[(\d+)\]\.?(.*)$/s.exec(found) ?? []
  const id = index === undefined ? undefined : at(value, ['tasks', Number(index), 'id'])
  if (typeof id !== 'string' || !/^[\w-]+$/.test(id)) return found
  return `task ${id}: ${rest}`
}

const invalid = (
  name: string,
  place: string,
  found: string,
  expected = 'an exercise as docs/writing-exercises.md describes it',
): LabError =>
  new LabError({
    found: `labs/${name}/${place}: ${found}`,
    expected,
    next: `edit labs/${name}/${place.split(',')[0]}, then ./lab exercise test ${name}`,
  })

/** Returns where the text and the tasks of an exercise do not agree. */
function textProblem({ text, tasks }: Exercise): string | undefined {
  const ids = tasks.map(({ id }) => id)
  const placed: string[] = []
  for (const item of text.items) {
    const at = `line ${item.line}`
    if (item.problem) return `${at}: ${item.problem}`
    if (item.task === undefined) continue
    if (!ids.includes(item.task)) return `${at}: exercise.yaml has no task ${item.task}`
    if (item.kind !== 'task') continue
    if (placed.includes(item.task)) return `${at}: task ${item.task} appears a second time`
    placed.push(item.task)
  }
  const missing = ids.find(id => !placed.includes(id))
  if (missing) return `task ${missing} is missing; add a line "> **Task ${missing}**: …"`
  if (placed.join() !== ids.join())
    return `the text has its tasks in the order ${placed.join(', ')}, exercise.yaml in the order ${ids.join(', ')}`
  return undefined
}
