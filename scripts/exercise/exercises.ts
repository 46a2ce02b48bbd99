import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import leven from 'leven'
import { parseDocument } from 'yaml'
import type { z } from 'zod'
import { LabError } from '../../stacks/error.ts'
import { projectDir } from '../../stacks/paths.ts'
import { type ExerciseFile, exerciseSchema } from './grammar.ts'
import { parseText, type Text } from './text.ts'

/** An exercise: its lab.yaml, its text, and where it is. */
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
        .filter(entry => entry.isDirectory() && existsSync(join(folder, entry.name, 'lab.yaml')))
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
    expected: near ? `one of them, such as ${near}` : 'exercises in labs/',
    next: './lab exercise list',
    exitCode: 2,
  })
}

/**
 * Reads and checks one exercise.
 * @throws LabError for what its lab.yaml or its text may not say: file and line, what was found.
 */
export function readExercise(name: string, folder = labsFolder()): Exercise {
  const file = join(folder, name, 'lab.yaml')
  const document = parseDocument(readFileSync(file, 'utf8'), { prettyErrors: true })
  const broken = document.errors[0]
  if (broken) throw wrong(name, 'lab.yaml', broken.message.split('\n')[0]!)
  const parsed = exerciseSchema.safeParse(document.toJS())
  if (!parsed.success) {
    const issue = deepest(parsed.error.issues[0]!)
    const at = issue.path.join('.')
    throw wrong(name, 'lab.yaml', `${at ? `${at}: ` : ''}${issue.message}`)
  }
  const readme = join(folder, name, 'README.md')
  if (!existsSync(readme)) throw wrong(name, 'README.md', 'no such file')
  const exercise = { ...parsed.data, name, folder: join(folder, name), text: parseText(readFileSync(readme, 'utf8')) }
  const problem = textProblem(exercise)
  if (problem) throw wrong(name, 'README.md', problem)
  return exercise
}

const wrong = (name: string, file: string, found: string): LabError =>
  new LabError({
    found: `labs/${name}/${file}: ${found}`,
    expected: 'an exercise as docs/writing-exercises.md describes it',
    next: `mend labs/${name}/${file}, then ./lab exercise test ${name}`,
  })

/** Of a choice that nothing fits, what was wrong with the alternative that came nearest. */
function deepest(issue: z.core.$ZodIssue): { path: PropertyKey[]; message: string } {
  if (issue.code !== 'invalid_union') return issue
  const inner = issue.errors
    .flat()
    .map(deepest)
    .sort((a, b) => b.path.length - a.path.length)[0]
  return inner && inner.path.length > 0 ? { path: [...issue.path, ...inner.path], message: inner.message } : issue
}

/** What is wrong between a text and its tasks. */
function textProblem({ text, tasks }: Exercise): string | undefined {
  const known = new Set(tasks.map(task => task.id))
  const placed: string[] = []
  for (const item of text.items) {
    if (item.problem) return `line ${item.line}: ${item.problem}`
    const id = item.kind === 'task' ? item.task : item.kind === 'code' ? item.task : undefined
    if (id === undefined) continue
    if (!known.has(id)) return `line ${item.line}: lab.yaml has no task ${id}`
    if (item.kind === 'task') {
      if (placed.includes(id)) return `line ${item.line}: task ${id} stands here a second time`
      placed.push(id)
    }
  }
  const missing = tasks.find(task => !placed.includes(task.id))
  if (missing) return `task ${missing.id} has no place in it: write a line "> **Task ${missing.id}**: …" there`
  const order = tasks.map(task => task.id)
  if (placed.join() !== order.join())
    return `its tasks come as ${placed.join(', ')}, those of lab.yaml as ${order.join(', ')}`
  return undefined
}
