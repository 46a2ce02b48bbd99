import { appendFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readWorkFiles } from '../../../../scripts/exercise/check/lab-client.ts'
import { type Capabilities, doableTasks } from '../../../../scripts/exercise/definition/capabilities.ts'
import { findExercise, readExercises } from '../../../../scripts/exercise/definition/exercises.ts'
import { workFolder } from '../../../../scripts/exercise/definition/folders.ts'
import { checkExercise, saveAnswer, takeHint } from '../../../../scripts/exercise/session/check-exercise.ts'
import { exerciseState } from '../../../../scripts/exercise/session/exercise-state.ts'
import { startExercise } from '../../../../scripts/exercise/session/prepare.ts'
import { taskProgress } from '../../../../scripts/exercise/session/progress.ts'
import { progressOf, type Session, updateExercise } from '../../../../scripts/exercise/session/session.ts'
import { type Feature, featureNames } from '../../../../scripts/kernel/features.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { replayCapabilities, sessionOf, temporaryFolders, writeExercise } from '../../../fakes/exercise-session.ts'
import { fakeLabClient, unreachableLabClient } from '../../../fakes/lab-client.ts'

const answerTask = (id: string, keys = ''): string => `
  - id: ${id}
    title: Find ${id}
    points: 2
    check: { answer: { from: { promql: ${id} } } }
    hints: [first, second, third]
    deadEnds: [{ id: zero, when: { given: "0" }, says: Zero is never right. }]
    solve: "true"
    ${keys}`

const readme = '> **Task one**: find it\n\n> **Task two**: find it\n'

/** A lab in which both answers are 7. */
const lab = fakeLabClient({ promql: () => [{ labels: {}, value: 7 }] })

async function startedSession(tasks = answerTask('one') + answerTask('two')): Promise<Session> {
  const folders = temporaryFolders()
  const session = sessionOf(writeExercise(folders, '99-unit-test', tasks, readme), folders, { lab })
  await startExercise(session)
  return session
}

const inLab = (session: Session, lab: ReturnType<typeof fakeLabClient>): Session => ({
  ...session,
  connect: async () => lab,
})

describe('a failed check', () => {
  it('counts as a try only after an answer, and each try gives a hint', async () => {
    const session = await startedSession()
    expect((await checkExercise(session)).tasks[0]).toMatchObject({ state: 'failed', tries: 0, hint: undefined })
    for (const [number, text] of [
      [1, 'first'],
      [2, 'second'],
      [3, 'third'],
      [3, 'third'],
    ] as const) {
      await saveAnswer(session, 'one', '5')
      const { tasks } = await checkExercise(session)
      expect(tasks[0]).toMatchObject({ state: 'failed', hint: { number, of: 3, text } })
      // The student has not reached the second task.
      expect(tasks[1]).toMatchObject({ state: 'open', tries: 0 })
    }
    expect(progressOf(session).tasks.one?.tries).toBe(4)
    // Checking the same answer again is not another try.
    await checkExercise(session)
    expect(progressOf(session).tasks.one?.tries).toBe(4)
  })

  it('shows a dead end instead of a hint, and both when the dead end is repeated', async () => {
    const session = await startedSession()
    const answer = async (value: string) => {
      await saveAnswer(session, 'one', value)
      return (await checkExercise(session)).tasks[0]!
    }
    const first = await answer('0')
    expect(first).toMatchObject({
      state: 'failed',
      attempt: { deadEnd: { id: 'zero', says: 'Zero is never right.' } },
    })
    expect(first.hint).toBeUndefined()
    expect(await answer('0')).toMatchObject({
      attempt: { deadEnd: { id: 'zero' } },
      hint: { number: 1, text: 'first' },
    })
    expect(await takeHint(session)).toMatchObject({ number: 2, text: 'second' })
    expect((await answer('5')).hint).toMatchObject({ number: 3 })
    expect(progressOf(session).tasks.one).toMatchObject({ tries: 3, hints: 3, deadEnds: { zero: 2 } })
  })

  it('is not a try when the lab is at fault, and names the command that helps', async () => {
    const session = await startedSession()
    await saveAnswer(session, 'one', '0')
    for (const [lab, command] of [
      [unreachableLabClient(), './lab status'],
      [fakeLabClient(), './lab verify'],
    ] as const) {
      // Once: the lab does not start to respond while the test waits.
      const { tasks } = await checkExercise(inLab(session, lab))
      expect(tasks[0]).toMatchObject({ state: 'unable', tries: 0, attempt: { unable: command } })
      expect(tasks[0]!.hint).toBeUndefined()
      expect(tasks[0]!.attempt!.deadEnd).toBeUndefined()
    }
    expect(progressOf(session).tasks.one).toMatchObject({ tries: 0, hints: 0 })
    // When the lab responds again, the same answer counts.
    expect((await checkExercise(session)).tasks[0]).toMatchObject({ state: 'failed', tries: 1 })
  })
})

describe('a task that the student has not tried', () => {
  const liveCapabilities: Capabilities = {
    ...replayCapabilities,
    source: 'live',
    features: Object.fromEntries(featureNames.map(name => [name, true])) as Record<Feature, boolean>,
  }

  /** A live lab that nobody has changed since `lab up`, with the policy that the setup of exercise 09 applies. */
  const freshLab = {
    ...fakeLabClient({
      promql: query => (query.includes('__base__') ? [{ labels: {}, value: 0 }] : []),
      kubectl: args => ({ stdout: args.includes('json') ? JSON.stringify({ items: [fridaysPolicy] }) : 'tcp-connect' }),
      run: command => {
        if (command.includes('cat /run/secrets')) return { stdout: 'eyJhbGciOiJSUzI1NiJ9' }
        if (command.includes('cat /etc/shadow')) return { stdout: 'root:*:20000:0:::::' }
        return command.includes('get pods') ? { stdout: '12s' } : { exitCode: 1 }
      },
    }),
    files: readWorkFiles,
  }
  const fridaysPolicy = parse(
    readFileSync(join(projectDir, 'labs/09-repair-the-policy/files/protect-secrets.yaml'), 'utf8'),
  )

  /** Starts an exercise of the lab. The tasks before the named one are done. */
  async function startedAt(name: string, current?: string): Promise<Session> {
    const exercise = { ...findExercise(name), setup: undefined, reset: undefined }
    const session = sessionOf(exercise, temporaryFolders(), { lab: freshLab, capabilities: liveCapabilities })
    await startExercise(session)
    if (current !== undefined)
      await updateExercise(session, progress => {
        for (const { id } of exercise.tasks.slice(
          0,
          exercise.tasks.findIndex(({ id }) => id === current),
        ))
          taskProgress(progress, id).passedAt = new Date().toISOString()
      })
    return session
  }

  const checked = async (session: Session, id: string, only?: string) =>
    (await checkExercise(session, { task: only })).tasks.find(task => task.id === id)!

  it.each(['07', '08', '09', '13', '14'])('has no tries when exercise %s has just been started', async name => {
    const { tasks } = await checkExercise(await startedAt(name))
    expect(tasks[0]).toMatchObject({ state: 'failed', hint: undefined })
    for (const { id, tries, state } of tasks) {
      expect(tries, id).toBe(0)
      if (id !== tasks[0]!.id) expect(state, id).toBe('open')
    }
  })

  it('has no tries when only that task is checked, but its dead end is explained', async () => {
    const session = await startedAt('08')
    for (const id of ['killed', 'refused'])
      expect(await checked(session, id, id)).toMatchObject({ tries: 0, attempt: { deadEnd: { id: 'read' } } })
  })

  it('has no tries in the check that passes the task before it', async () => {
    const session = await startedAt('13', 'away')
    const stopped = { ...freshLab, kubectl: async () => ({ exitCode: 0, stdout: '0', stderr: '' }) }
    const { tasks } = await checkExercise(inLab(session, stopped))
    expect(tasks.find(({ id }) => id === 'away')).toMatchObject({ state: 'passed' })
    expect(tasks.find(({ id }) => id === 'back')).toMatchObject({ state: 'open', tries: 0 })
  })

  it('has no tries until the student changes the file that the exercise provides', async () => {
    for (const [name, id, file] of [
      ['08', 'refuse', 'deny-shadow.yaml'],
      ['09', 'repair', 'protect-secrets.yaml'],
    ] as const) {
      const session = await startedAt(name, id)
      expect(await checked(session, id)).toMatchObject({ state: 'failed', tries: 0, hint: undefined })
      appendFileSync(join(workFolder(session.folders, session.exercise.name), file), '# mine\n')
      expect(await checked(session, id)).toMatchObject({ state: 'failed', tries: 1 })
    }
  })

  it('has a try in its dead end once the tasks before it are done', async () => {
    const session = await startedAt('08', 'killed')
    expect(await checked(session, 'killed')).toMatchObject({ state: 'failed', tries: 1 })
    expect(await checked(session, 'refused')).toMatchObject({ state: 'open', tries: 0 })
  })
})

describe('a passed task', () => {
  it('stays passed, in any order, and the last one finishes the exercise', async () => {
    const session = await startedSession()
    await saveAnswer(session, 'two', '7')
    expect(await checkExercise(session)).toMatchObject({ points: 2, most: 4, finished: false })
    await saveAnswer(session, 'two', '5')
    expect((await checkExercise(session)).tasks[1]).toMatchObject({ state: 'passed' })
    const again = await checkExercise(session, { again: true })
    expect(again.tasks[1]).toMatchObject({ state: 'open', attempt: { passed: false } })
    await saveAnswer(session, 'one', '7')
    expect(await checkExercise(session)).toMatchObject({ points: 4, finished: true })
    expect(progressOf(session).finishedAt).toBeDefined()
  })

  it('gives no points when the lab has solved it', async () => {
    const session = await startedSession()
    await saveAnswer(session, 'one', '7')
    await checkExercise({ ...session, solving: true })
    const { exercise } = session
    const state = exerciseState(exercise, doableTasks(exercise, replayCapabilities), progressOf(session))
    expect(state.tasks[0]).toMatchObject({ state: 'solved' })
    expect(state.points).toBe(0)
  })
})

describe('a task that cannot be done here', () => {
  it('is left out, and the exercise can be finished without it', async () => {
    const session = await startedSession(answerTask('one') + answerTask('two', 'needs: { source: live }'))
    await saveAnswer(session, 'one', '7')
    const state = await checkExercise(session)
    expect(state).toMatchObject({ finished: true, points: 2, most: 2 })
    expect(state.tasks[1]).toMatchObject({ state: 'left', why: expect.stringContaining('live Tetragon') })
    await expect(checkExercise(session, { task: 'two' })).rejects.toThrow(/live Tetragon/)
  })
})

describe('an answer', () => {
  it('is rejected for a task that does not exist or does not ask for one', async () => {
    const session = await startedSession(`${answerTask('one')}
  - { id: two, title: Do it, check: { kube: { get: pods } }, hints: [x], solve: "true" }`)
    await expect(saveAnswer(session, 'three', 'x')).rejects.toThrow(/no task three/)
    await expect(saveAnswer(session, 'two', 'x')).rejects.toThrow(/does not ask for an answer/)
  })
})

describe('hints', () => {
  it('come in order, and the last one is repeated', async () => {
    const folders = temporaryFolders()
    const exercise = { ...readExercises()[0]!, setup: undefined, reset: undefined }
    const session = sessionOf(exercise, folders)
    await startExercise(session)
    expect(await takeHint(session)).toMatchObject({ task: exercise.tasks[0]!.id, number: 1 })
    expect(await takeHint(session)).toMatchObject({ number: 2 })
    const last = exercise.tasks[0]!.hints.length
    for (let more = 0; more < last; more++) await takeHint(session)
    expect(await takeHint(session)).toMatchObject({ number: last, of: last })
  })
})
