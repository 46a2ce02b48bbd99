import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import {
  type Exercise,
  findExercise,
  readExercise,
  readExercises,
} from '../../../../scripts/exercise/definition/exercises.ts'
import { LabError } from '../../../../shared/lab-error.ts'

const folder = mkdtempSync(join(tmpdir(), 'lab-labs-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const task = `
  - id: one
    title: Find it
    check: { promql: { query: up } }
    hints: [look]
    solve: "true"`
const yaml = (tasks = task, more = ''): string =>
  `title: x\ntrack: see\noutcome: x\nlearned: [x]\nminutes: 5\n${more}tasks:${tasks}`

function read(file: string, readme = '> **Task one**: find it'): Exercise {
  mkdirSync(join(folder, '01-x'), { recursive: true })
  writeFileSync(join(folder, '01-x', 'exercise.yaml'), file)
  writeFileSync(join(folder, '01-x', 'README.md'), readme)
  return readExercise('01-x', folder)
}

function refusal(...given: Parameters<typeof read>): string {
  try {
    read(...given)
  } catch (error) {
    expect(error).toBeInstanceOf(LabError)
    return (error as LabError).found
  }
  throw new Error('it was accepted')
}

describe('an exercise.yaml', () => {
  it('needs only a few keys', () => {
    expect(read(yaml())).toMatchObject({ name: '01-x', needs: { source: 'any' }, tasks: [{ points: 1, deadEnds: [] }] })
  })

  it.each([
    [yaml(task, 'tilte: x\n'), /exercise\.yaml, line \d+: tilte is not a known key/],
    ['title: [', /exercise\.yaml, line 1: /],
    [yaml('\n  []'), /tasks is \[\]/],
    [yaml(task.replace('up }', 'up, is: "/(/" }')), /task one: check.*: .*(unterminated|group|Invalid)/i],
    [yaml(task.replace('{ promql: { query: up } }', '{}')), /nothing is checked/],
    [
      yaml(task.replace('{ promql: { query: up } }', '{ promql: { query: up }, given: x }')),
      /only one of promql, given is allowed/,
    ],
    [yaml(task.replace('query: up', 'qeury: up')), /task one: check\.promql\.qeury is not a known key/],
    [yaml(task + task), /another task is called one/],
    [yaml(task, 'needs: { features: [sigkil] }\n'), /needs\.features\[0\]/],
  ])('is rejected with the line and the reason: %#', (text, why) => {
    expect(refusal(text)).toMatch(why)
  })
})

describe('the text of an exercise', () => {
  it.each([
    ['no task in it', /task one is missing/],
    ['> **Task two**: find it', /line 1: exercise.yaml has no task two/],
    ['> **Task one**: x\n\n> **Task one**: y', /appears a second time/],
    ['> **Task one**: x\n\n```bash tsak=one\nls\n```', /line 3: the attribute tsak is unknown/],
    ['> **Task one**: x\n\n```bash no-test\nls\n```', /no-test needs a reason/],
    ['> **Task one**: x\n\n```bash for=5\nls\n```', /for and timeout need seconds/],
    ['> **Task one**: x\n\n```yaml file=/etc/passwd\na: b\n```', /student’s folder/],
    ['> **Task one**: x\n\n```yaml file=work/../x\na: b\n```', /student’s folder/],
    ['> **Task one**: x\n\n```text stable\nls\n```', /must follow a bash block/],
    ['> **Task one**: x\n\n```bash\nls\n```\n\n```text stable source=rig\nls\n```', /use live or replay/],
    ['> **Task one**: x\n>\n> `./lab exercise answer two NAME`', /line 1: the answer of task one is given to two/],
    ['> **Task one**: x\n>\n> ```bash tsak=one\n> ls\n> ```', /line 3: the attribute tsak is unknown/],
  ])('is rejected: %j', (readme, why) => {
    expect(refusal(yaml(), readme)).toMatch(why)
  })

  it('must have its tasks in the order of exercise.yaml', () => {
    const both = task + task.replace('id: one', 'id: two')
    expect(refusal(yaml(both), '> **Task two**: x\n\n> **Task one**: y')).toMatch(/in the order two, one/)
  })
})

it('an exercise is found by its name, its number, and its name without the number', () => {
  const [first] = readExercises()
  expect(findExercise(first!.name).name).toBe(first!.name)
  expect(findExercise(String(Number.parseInt(first!.name, 10))).name).toBe(first!.name)
  expect(findExercise(first!.name.replace(/^\d+-/, '')).name).toBe(first!.name)
  expect(() => findExercise('find-the-raeder')).toThrow(/04-find-the-reader/)
})
