import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import type { Capabilities } from '../../../scripts/exercise/definition/capabilities.ts'
import { type Exercise, findExercise } from '../../../scripts/exercise/definition/exercises.ts'
import { readProgress, updateProgress } from '../../../scripts/exercise/session/progress.ts'
import { check, reset, startExercise } from '../../../scripts/exercise/session/session.ts'
import { noFeatures } from '../../../scripts/kernel/features.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { fakeLabClient } from '../../fakes/lab-client.ts'

// A student who comes back to an exercise: on the next day, after another exercise, to another cluster.

// Setups and resets run for real, without the lab's programs.
vi.mock('../../../scripts/context/context.ts', () => ({ loadContext: async () => ({ env: {} }) }))

const before = { ...process.env }
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'lab-return-'))
  const here = { LAB_DIR: '.lab', LAB_WORK: 'work', LAB_LABS: 'labs' }
  for (const [name, part] of Object.entries(here)) process.env[name] = join(folder, part)
  mkdirSync(join(folder, '.lab'))
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true })
    for (const name of Object.keys(here))
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
  })
})

const offer = (cluster: string): Capabilities => ({
  source: 'replay',
  why: 'the kernel cannot',
  features: noFeatures,
  settings: parseSettings({}),
  cluster,
})

/** An exercise that writes down when it is set up and taken back. */
function made(name: string): Exercise {
  const log = join(folder, 'log')
  mkdirSync(join(folder, 'labs', name), { recursive: true })
  const task = (id: string, check: string) =>
    `  - { id: ${id}, title: Do ${id}, check: ${check}, hints: [a, b], solve: "true" }\n`
  writeFileSync(
    join(folder, 'labs', name, 'exercise.yaml'),
    `title: x
track: stop
outcome: You can test.
learned: [testing]
minutes: 5
setup: echo "setup ${name}" >> ${log}
reset: echo "reset ${name}" >> ${log}
tasks:
${task('find', '{ answer: { from: { promql: x } } }')}${task('write', '{ policy: { in: work, name: mine } }')}${task('load', '{ kube: { get: pod/mine } }')}${task('seen', '{ promql: { query: y } }')}`,
  )
  writeFileSync(
    join(folder, 'labs', name, 'README.md'),
    ['find', 'write', 'load', 'seen'].map(id => `> **Task ${id}**: do it`).join('\n\n'),
  )
  return findExercise(name)
}

const log = (): string[] => readFileSync(join(folder, 'log'), 'utf8').trim().split('\n')
const pass = (name: string, ids: string[]) =>
  updateProgress(all => {
    for (const id of ids) all.exercises[name]!.tasks[id] = { tries: 0, hints: 0, passedAt: new Date().toISOString() }
  })
const empty = { world: fakeLabClient() }

it('sets nothing up again under the hands of a student who goes on', async () => {
  const one = made('01-one')
  await startExercise(one, offer('a'))
  await pass('01-one', ['find', 'write', 'load'])
  expect(await startExercise(one, offer('a'), empty)).toEqual({ resumed: true, gone: [] })
  expect(log()).toEqual(['setup 01-one'])
})

it('sets up again after another exercise, and names what is gone from the cluster', async () => {
  const [one, two] = [made('01-one'), made('02-two')]
  await startExercise(one, offer('a'))
  await pass('01-one', ['find', 'write', 'load'])
  expect(await startExercise(two, offer('a'))).toMatchObject({ resumed: false, tidied: '01-one' })
  const back = await startExercise(one, offer('a'), empty)
  expect(back).toMatchObject({ resumed: true, tidied: '02-two' })
  // An answer is known once and for all, and a file is still there.
  expect(back.gone.map(({ id }) => id)).toEqual(['load'])
  expect(log()).toEqual(['setup 01-one', 'reset 01-one', 'setup 02-two', 'reset 02-two', 'setup 01-one'])
  // The points stay.
  expect(readProgress().exercises['01-one']!.tasks.load?.passedAt).toBeDefined()
  const there = fakeLabClient({ kubectl: () => ({ stdout: 'pod/mine' }) })
  await startExercise(two, offer('a'))
  expect((await startExercise(one, offer('a'), { world: there })).gone).toEqual([])
})

it('knows another cluster, and tells so when something is checked in it', async () => {
  const one = made('01-one')
  await startExercise(one, offer('a'))
  await pass('01-one', ['write', 'load'])
  expect(await check(one, offer('a'), empty)).not.toHaveProperty('moved')
  expect(await check(one, offer('b'), empty)).toMatchObject({ moved: true })
  expect((await startExercise(one, offer('b'), empty)).gone.map(({ id }) => id)).toEqual(['load'])
  expect(await check(one, offer('b'), empty)).not.toHaveProperty('moved')
  expect(log()).toEqual(['setup 01-one', 'setup 01-one'])
})

it('has nothing done again that a later task undoes on purpose, nor what is finished', async () => {
  const one = made('01-one')
  await startExercise(one, offer('a'))
  await pass('01-one', ['find', 'write', 'load', 'seen'])
  const later = fakeLabClient({ promql: () => [{ labels: {}, value: 1 }] })
  expect((await startExercise(one, offer('b'), { world: later })).gone).toEqual([])
  await updateProgress(all => {
    all.exercises['01-one']!.finishedAt = new Date().toISOString()
  })
  expect((await startExercise(one, offer('c'), empty)).gone).toEqual([])
})

it('comes, after a reset, to a task that can be done here', async () => {
  const one = made('01-one')
  await startExercise(one, offer('a'))
  const live = {
    ...one,
    tasks: one.tasks.map((task, index) =>
      index === 0 ? { ...task, needs: { source: 'live' as const, features: [], settings: {} } } : task,
    ),
  }
  await reset(live, offer('a'))
  expect(Object.keys(readProgress().exercises['01-one']!.tasks)).toEqual(['write'])
})
