import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { LabClient } from '../../../../scripts/exercise/check/lab-client.ts'
import type { Capabilities } from '../../../../scripts/exercise/definition/capabilities.ts'
import type { Exercise } from '../../../../scripts/exercise/definition/exercises.ts'
import { workFolder } from '../../../../scripts/exercise/definition/folders.ts'
import { checkExercise } from '../../../../scripts/exercise/session/check-exercise.ts'
import { moveWorkAside, resetExercise, startExercise } from '../../../../scripts/exercise/session/prepare.ts'
import { readProgress, updateProgress } from '../../../../scripts/exercise/session/progress.ts'
import { progressOf, type Session } from '../../../../scripts/exercise/session/session.ts'
import { replayCapabilities, sessionOf, temporaryFolders, writeExercise } from '../../../fakes/exercise-session.ts'
import { fakeLabClient } from '../../../fakes/lab-client.ts'

// The commands of setup and reset run for real, without the lab's programs.
vi.mock('../../../../scripts/context/context.ts', () => ({ loadRunningLab: async () => ({ env: {} }) }))

let folders: ReturnType<typeof temporaryFolders>
beforeEach(() => {
  folders = temporaryFolders()
})

const log = (): string[] => readFileSync(join(folders.root, 'log'), 'utf8').trim().split('\n')

/** Writes an exercise whose setup and reset add a line to a log. */
function loggingExercise(name: string): Exercise {
  const file = join(folders.root, 'log')
  const task = (id: string, check: string) =>
    `  - { id: ${id}, title: Do ${id}, check: ${check}, hints: [a, b], solve: "true" }\n`
  return writeExercise(
    folders,
    name,
    task('find', '{ answer: { from: { promql: x } } }') +
      task('write', '{ policy: { in: work, name: mine } }') +
      task('load', '{ kube: { get: pod/mine } }') +
      task('seen', '{ promql: { query: y } }'),
    ['find', 'write', 'load', 'seen'].map(id => `> **Task ${id}**: do it`).join('\n\n'),
    `setup: echo "setup ${name}" >> ${file}\nreset: echo "reset ${name}" >> ${file}`,
  )
}

const onCluster = (exercise: Exercise, cluster: string, lab: LabClient = fakeLabClient()): Session =>
  sessionOf(exercise, folders, { lab, capabilities: { ...replayCapabilities, cluster } })

const passTasks = (name: string, ids: string[]) =>
  updateProgress(folders.progress, all => {
    for (const id of ids) all.exercises[name]!.tasks[id] = { tries: 0, hints: 0, passedAt: new Date().toISOString() }
  })

const idsOf = (tasks: { id: string }[]) => tasks.map(({ id }) => id)

describe('starting an exercise', () => {
  it('creates the student’s folder and reaches the first task', async () => {
    const session = onCluster(loggingExercise('01-one'), 'a')
    expect(await startExercise(session)).toEqual({ resumed: false, gone: [] })
    expect(readProgress(folders.progress).current).toBe('01-one')
    expect(existsSync(workFolder(folders, '01-one'))).toBe(true)
    const { startedAt, tasks } = progressOf(session)
    expect(tasks.find?.reachedAt).toBeDefined()
    expect(tasks.write).toBeUndefined()
    expect(await startExercise(session)).toMatchObject({ resumed: true })
    expect(progressOf(session).startedAt).toBe(startedAt)
  })

  it('copies the files of the exercise, and keeps those that the student has changed', async () => {
    const session = onCluster(loggingExercise('01-one'), 'a')
    mkdirSync(join(session.exercise.folder, 'files'))
    writeFileSync(join(session.exercise.folder, 'files', 'start.yaml'), 'fresh')
    await startExercise(session)
    const copy = join(workFolder(folders, '01-one'), 'start.yaml')
    expect(readFileSync(copy, 'utf8')).toBe('fresh')
    writeFileSync(copy, 'mine')
    await startExercise(session)
    expect(readFileSync(copy, 'utf8')).toBe('mine')
  })

  it('fails when no task can be done here', async () => {
    const one = loggingExercise('01-one')
    const live: Exercise = { ...one, needs: { ...one.needs, source: 'live' } }
    await expect(startExercise(sessionOf(live, folders))).rejects.toThrow(/live Tetragon/)
    const capabilities: Capabilities = { ...replayCapabilities, source: 'live' }
    await startExercise(sessionOf(live, folders, { capabilities }))
  })
})

describe('resuming an exercise', () => {
  it('does not run the setup again in the same cluster', async () => {
    const one = loggingExercise('01-one')
    await startExercise(onCluster(one, 'a'))
    await passTasks('01-one', ['find', 'write', 'load'])
    expect(await startExercise(onCluster(one, 'a'))).toEqual({ resumed: true, gone: [] })
    expect(log()).toEqual(['setup 01-one'])
  })

  it('runs the setup again after another exercise, and names the tasks whose result is missing', async () => {
    const [one, two] = [loggingExercise('01-one'), loggingExercise('02-two')]
    await startExercise(onCluster(one, 'a'))
    await passTasks('01-one', ['find', 'write', 'load'])
    expect(await startExercise(onCluster(two, 'a'))).toMatchObject({ resumed: false, tidied: '01-one' })
    const back = await startExercise(onCluster(one, 'a'))
    expect(back).toMatchObject({ resumed: true, tidied: '02-two' })
    // Answers and files are not in the cluster.
    expect(idsOf(back.gone)).toEqual(['load'])
    expect(log()).toEqual(['setup 01-one', 'reset 01-one', 'setup 02-two', 'reset 02-two', 'setup 01-one'])
    expect(readProgress(folders.progress).exercises['01-one']!.tasks.load?.passedAt).toBeDefined()
    const withPod = fakeLabClient({ kubectl: () => ({ stdout: 'pod/mine' }) })
    await startExercise(onCluster(two, 'a'))
    expect((await startExercise(onCluster(one, 'a', withPod))).gone).toEqual([])
  })

  it('runs the setup in a new cluster, which a check before that reports', async () => {
    const one = loggingExercise('01-one')
    await startExercise(onCluster(one, 'a'))
    await passTasks('01-one', ['write', 'load'])
    // Only this task is checked, and it cannot be waited for: it needs an answer.
    const check = (cluster: string) => checkExercise(onCluster(one, cluster), { task: 'find' })
    expect(await check('a')).not.toHaveProperty('moved')
    expect(await check('b')).toMatchObject({ moved: true })
    expect(idsOf((await startExercise(onCluster(one, 'b'))).gone)).toEqual(['load'])
    expect(await check('b')).not.toHaveProperty('moved')
    expect(log()).toEqual(['setup 01-one', 'setup 01-one'])
  })

  it('does not repeat a task that a later one undoes on purpose, nor a finished exercise', async () => {
    const one = loggingExercise('01-one')
    await startExercise(onCluster(one, 'a'))
    await passTasks('01-one', ['find', 'write', 'load', 'seen'])
    const lastPasses = fakeLabClient({ promql: () => [{ labels: {}, value: 1 }] })
    expect((await startExercise(onCluster(one, 'b', lastPasses))).gone).toEqual([])
    await updateProgress(folders.progress, all => {
      all.exercises['01-one']!.finishedAt = new Date().toISOString()
    })
    expect((await startExercise(onCluster(one, 'c'))).gone).toEqual([])
  })
})

describe('a reset', () => {
  it('undoes all tasks, and keeps the student’s files in another folder', async () => {
    const session = onCluster(loggingExercise('01-one'), 'a')
    await startExercise(session)
    await passTasks('01-one', ['find'])
    const work = workFolder(folders, '01-one')
    writeFileSync(join(work, 'mine.yaml'), 'a: b')
    const kept = await resetExercise(session)
    expect(readdirSync(kept!)).toEqual(['mine.yaml'])
    expect(readdirSync(work)).toEqual([])
    const { resets, tasks } = progressOf(session)
    expect(resets).toBe(1)
    expect(tasks.find?.passedAt).toBeUndefined()
    // An empty folder is not kept.
    expect(moveWorkAside(session)).toBeUndefined()
  })

  it('reaches the first task that can be done here', async () => {
    const one = loggingExercise('01-one')
    const [first, ...others] = one.tasks
    const needs = { source: 'live' as const, features: [], settings: {} }
    const session = onCluster({ ...one, tasks: [{ ...first!, needs }, ...others] }, 'a')
    await startExercise(session)
    await resetExercise(session)
    expect(Object.keys(progressOf(session).tasks)).toEqual(['write'])
  })
})
