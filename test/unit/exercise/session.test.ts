import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readClass } from '../../../scripts/exercise/class/class-overview.ts'
import {
  isNameTaken,
  otlpRequest,
  progressMetrics,
  sendProgress,
} from '../../../scripts/exercise/class/progress-metrics.ts'
import { type Capabilities, doableTasks, unmetNeed } from '../../../scripts/exercise/definition/capabilities.ts'
import { createExercise } from '../../../scripts/exercise/definition/create-exercise.ts'
import {
  type Exercise,
  readExercise,
  readExercises,
  workFolder,
} from '../../../scripts/exercise/definition/exercises.ts'
import {
  addWorkedTime,
  type ExerciseProgress,
  readProgress,
  updateProgress,
} from '../../../scripts/exercise/session/progress.ts'
import {
  check,
  currentExercise,
  exerciseState,
  moveWorkAside,
  progressOf,
  reset,
  saveAnswer,
  startExercise,
  takeHint,
} from '../../../scripts/exercise/session/session.ts'
import { progressReport } from '../../../scripts/exercise/view/progress-report.ts'
import { noFeatures } from '../../../scripts/kernel/features.ts'
import type { Sample } from '../../../scripts/telemetry/query-response.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { fakeLabClient, unreachableLabClient } from '../../fakes/lab-client.ts'

const before = { ...process.env }
const folders: string[] = []
let labs: string

beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), 'lab-exercise-'))
  folders.push(folder)
  process.env.LAB_DIR = join(folder, '.lab')
  process.env.LAB_WORK = join(folder, 'work')
  mkdirSync(process.env.LAB_DIR)
  labs = join(folder, 'labs')
})
afterEach(() => {
  for (const name of ['LAB_DIR', 'LAB_WORK'] as const) {
    if (before[name] === undefined) delete process.env[name]
    else process.env[name] = before[name]
  }
})
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

const offer: Capabilities = {
  source: 'replay',
  why: 'the kernel cannot',
  features: { ...noFeatures, btf: true },
  settings: parseSettings({}),
}

const yaml = (tasks: string, more = ''): string => `title: Unit test
track: see
outcome: You can test.
learned: [testing]
minutes: 5
${more}
tasks:
${tasks}`

const answerTask = (id: string, extra = ''): string => `
  - id: ${id}
    title: Find ${id}
    points: 2
    check: { answer: { from: { promql: ${id} } } }
    hints: [first, second, third]
    deadEnds: [{ id: zero, when: { given: "0" }, says: Zero is never right. }]
    solve: "true"
    ${extra}`

/** An exercise in a folder of its own. Its name is one that no student's folder has. */
function exercise(text: string, readme = '> **Task one**: find it\n\n> **Task two**: find it\n'): Exercise {
  const name = '99-unit-test'
  mkdirSync(join(labs, name), { recursive: true })
  writeFileSync(join(labs, name, 'exercise.yaml'), text)
  writeFileSync(join(labs, name, 'README.md'), readme)
  return readExercise(name, labs)
}

const two = (): Exercise => exercise(yaml(answerTask('one') + answerTask('two')))

/** The first exercise of the lab, without what would need one. */
const ofTheLab = (): Exercise => ({ ...readExercises()[0]!, setup: undefined, resetExercise: undefined })

/** Both answers are 7. */
const world = fakeLabClient({ promql: () => [{ labels: {}, value: 7 }] })

/** Started, without a lab: neither setup nor files need one. */
async function started(make = two): Promise<Exercise> {
  const made = make()
  await startExercise(made, offer)
  return made
}

const look = async (of: Exercise, options: { task?: string; again?: boolean } = {}) =>
  check(of, offer, { ...options, world })

describe('a session', () => {
  it('starts, and goes on where it was', async () => {
    const made = two()
    expect(await startExercise(made, offer)).toEqual({ resumed: false, gone: [] })
    expect(readProgress().current).toBe(made.name)
    expect(existsSync(workFolder(made.name))).toBe(true)
    const { startedAt } = progressOf(made)
    expect(await startExercise(made, offer)).toMatchObject({ resumed: true })
    expect(progressOf(made).startedAt).toBe(startedAt)
    expect(progressOf(made).tasks.one?.reachedAt).toBeDefined()
    expect(progressOf(made).tasks.two).toBeUndefined()
  })

  it('counts a try only for what was tried, and gives a hint with each', async () => {
    const made = await started()
    expect((await look(made)).tasks[0]).toMatchObject({ state: 'failed', tries: 0, hint: undefined })
    for (const [number, text] of [
      [1, 'first'],
      [2, 'second'],
      [3, 'third'],
      [3, 'third'],
    ] as const) {
      await saveAnswer(made, 'one', '5')
      const { tasks } = await look(made)
      expect(tasks[0]).toMatchObject({ state: 'failed', hint: { number, of: 3, text } })
      // The next one was not come to.
      expect(tasks[1]).toMatchObject({ state: 'open', tries: 0 })
    }
    expect(progressOf(made).tasks.one?.tries).toBe(4)
    // To look again at the same answer is no try.
    await look(made)
    expect(progressOf(made).tasks.one?.tries).toBe(4)
  })

  it('names a dead end in place of a hint, and with the next hint when it is gone again', async () => {
    const made = await started()
    const wrong = async (answer: string) => {
      await saveAnswer(made, 'one', answer)
      return (await look(made)).tasks[0]!
    }
    const first = await wrong('0')
    expect(first).toMatchObject({
      state: 'failed',
      attempt: { deadEnd: { id: 'zero', says: 'Zero is never right.' } },
    })
    expect(first.hint).toBeUndefined()
    expect(await wrong('0')).toMatchObject({ attempt: { deadEnd: { id: 'zero' } }, hint: { number: 1, text: 'first' } })
    expect(await takeHint(made, offer)).toMatchObject({ number: 2, text: 'second' })
    expect((await wrong('5')).hint).toMatchObject({ number: 3 })
    expect(progressOf(made).tasks.one).toMatchObject({ tries: 3, hints: 3, deadEnds: { zero: 2 } })
  })

  it('counts no try where the lab is to blame, and says what helps', async () => {
    const made = await started()
    await saveAnswer(made, 'one', '0')
    for (const [world, next] of [
      [unreachableLabClient(), './lab status'],
      [fakeLabClient(), './lab verify'],
    ] as const) {
      const { tasks } = await check(made, offer, { world })
      expect(tasks[0]).toMatchObject({ state: 'unable', tries: 0, attempt: { unable: next } })
      expect(tasks[0]!.hint).toBeUndefined()
      expect(tasks[0]!.attempt!.deadEnd).toBeUndefined()
    }
    expect(progressOf(made).tasks.one).toMatchObject({ tries: 0, hints: 0 })
    // The lab is back, and the same answer counts.
    expect((await look(made)).tasks[0]).toMatchObject({ state: 'failed', tries: 1 })
  })

  it('keeps what has passed, in any order, and is finished at the end', async () => {
    const made = await started()
    await saveAnswer(made, 'two', '7')
    expect(await look(made)).toMatchObject({ points: 2, most: 4, finished: false })
    await saveAnswer(made, 'two', '5')
    expect((await look(made)).tasks[1]).toMatchObject({ state: 'passed' })
    expect((await look(made, { again: true })).tasks[1]).toMatchObject({ state: 'open', attempt: { passed: false } })
    await saveAnswer(made, 'one', '7')
    expect(await look(made)).toMatchObject({ points: 4, finished: true })
    expect(progressOf(made).finishedAt).toBeDefined()
  })

  it('gives no points for what the lab solved', async () => {
    const made = await started()
    await saveAnswer(made, 'one', '7')
    process.env.LAB_SOLVING = '1'
    try {
      await look(made)
    } finally {
      delete process.env.LAB_SOLVING
    }
    const { tasks, points } = exerciseState(made, doableTasks(made, offer), progressOf(made))
    expect(tasks[0]).toMatchObject({ state: 'solved' })
    expect(points).toBe(0)
  })

  it('starts anew after a reset, and keeps what was written', async () => {
    const made = await started()
    await saveAnswer(made, 'one', '7')
    await look(made)
    writeFileSync(join(workFolder(made.name), 'mine.yaml'), 'a: b')
    const kept = await reset(made, offer)
    expect(readdirSync(kept!)).toEqual(['mine.yaml'])
    expect(readdirSync(workFolder(made.name))).toEqual([])
    expect(progressOf(made)).toMatchObject({ resets: 1 })
    expect((await look(made)).tasks.map(({ state }) => state)).toEqual(['failed', 'open'])
    // An empty folder leaves nothing behind.
    expect(moveWorkAside(made.name)).toBeUndefined()
  })

  it('gives the files that an exercise comes with, and takes none away', async () => {
    const made = two()
    mkdirSync(join(made.folder, 'files'))
    writeFileSync(join(made.folder, 'files', 'start.yaml'), 'fresh')
    await startExercise(made, offer)
    writeFileSync(join(workFolder(made.name), 'start.yaml'), 'mine')
    await startExercise(made, offer)
    expect(readFileSync(join(workFolder(made.name), 'start.yaml'), 'utf8')).toBe('mine')
  })

  it('is not undone by a command in another terminal', async () => {
    await started()
    await Promise.all(
      Array.from({ length: 12 }, () =>
        updateProgress(({ exercises }) => {
          exercises['99-unit-test']!.resets++
        }),
      ),
    )
    expect(readProgress().exercises['99-unit-test']!.resets).toBe(12)
  })

  it('says what is wrong with progress that cannot be read', () => {
    writeFileSync(join(process.env.LAB_DIR!, 'exercises.json'), '{"version": 7}')
    expect(() => readProgress()).toThrow(LabError)
  })

  it('needs something that was started, a task that is there, and one that asks', async () => {
    expect(() => currentExercise()).toThrow(/no exercise was started/)
    const made = await started(() =>
      exercise(
        yaml(`${answerTask('one')}
  - { id: two, title: Do it, check: { kube: { get: pods } }, hints: [x], solve: "true" }`),
      ),
    )
    await expect(saveAnswer(made, 'three', 'x')).rejects.toThrow(/no task three/)
    await expect(saveAnswer(made, 'two', 'x')).rejects.toThrow(/asks for no answer/)
  })
})

describe('what can be done here', () => {
  const needs = (more: object) => ({ source: 'any' as const, features: [], settings: {}, ...more })

  it.each([
    [{}, undefined],
    [{ source: 'live' }, 'needs the live Tetragon, and here a recording is played: the kernel cannot'],
    [{ source: 'replay' }, undefined],
    [{ features: ['btf'] }, undefined],
    [{ features: ['sigkill', 'lsm'] }, /^the kernel lacks signals from BPF .* and BPF LSM/],
    [{ settings: { 'traffic.enabled': true } }, undefined],
    [{ settings: { 'traffic.enabled': false } }, 'traffic.enabled is true, and must be false'],
  ])('%j', (more, why) => {
    const found = unmetNeed(needs(more), offer)
    if (why === undefined) expect(found).toBeUndefined()
    else expect(found).toMatch(why)
  })

  it('leaves out single tasks, and refuses an exercise of which none is left', async () => {
    const mixed = exercise(yaml(answerTask('one') + answerTask('two', 'needs: { source: live }')))
    expect(doableTasks(mixed, offer).tasks.map(({ id }) => id)).toEqual(['one'])
    await startExercise(mixed, offer)
    await saveAnswer(mixed, 'one', '7')
    const checked = await look(mixed)
    expect(checked).toMatchObject({ finished: true, points: 2, most: 2 })
    expect(checked.tasks[1]).toMatchObject({ state: 'left', why: /live Tetragon/ })
    await expect(look(mixed, { task: 'two' })).rejects.toThrow(/live Tetragon/)

    const live = exercise(yaml(answerTask('one') + answerTask('two'), 'needs: { source: live }'))
    await expect(startExercise(live, offer)).rejects.toThrow(/live Tetragon/)
    await startExercise(live, { ...offer, source: 'live' })
  })
})

describe('what is told', () => {
  it('hints one after the other, at least those that were seen', async () => {
    const made = ofTheLab()
    await startExercise(made, offer)
    expect(await takeHint(made, offer)).toMatchObject({ task: made.tasks[0]!.id, number: 1 })
    expect(await takeHint(made, offer)).toMatchObject({ number: 2 })
    const last = made.tasks[0]!.hints.length
    for (let more = 0; more < last; more++) await takeHint(made, offer)
    expect(await takeHint(made, offer)).toMatchObject({ number: last, of: last })
  })

  it('a report of one page: a row for each exercise, its tasks only when asked for', async () => {
    const made = ofTheLab()
    await startExercise(made, offer)
    await saveAnswer(made, made.tasks[0]!.id, 'a | b')
    await takeHint(made, offer)
    const ada = { ...offer, settings: parseSettings({ class: { student: 'Ada' } }) }
    const now = new Date('2026-11-21T12:00:00Z')
    const page = progressReport(readProgress(), ada, { now })
    expect(page).toContain('**Name:** Ada')
    expect(page).toContain('2026-11-21 12:00 UTC')
    expect(page).toMatch(new RegExp(`^\\| 00 ${made.title} \\| 0/\\d+ \\| 0 \\| 1 \\|  \\| 0 \\| no \\|$`, 'm'))
    expect(page).not.toContain('a \\| b')
    expect(progressReport(readProgress(), ada, { full: true })).toContain('`a \\| b`')
    expect(progressReport({ version: 1, exercises: {} }, offer)).toContain('No exercise was started.')
  })

  it('no more than a page for whoever has done everything', () => {
    const at = '2026-11-21T12:00:00Z'
    const exercises = Object.fromEntries(
      readExercises().map(({ name, tasks }) => [
        name,
        {
          startedAt: at,
          firstStartedAt: at,
          finishedAt: at,
          resets: 0,
          workedSeconds: 700,
          tasks: Object.fromEntries(tasks.map(({ id }) => [id, { tries: 2, hints: 1, passedAt: at }])),
        },
      ]),
    )
    const lines = progressReport({ version: 1, exercises }, offer).split('\n')
    expect(lines.length).toBeLessThan(60)
    expect(lines.filter(line => /\| 12 \| 2026-11-21 12:00 \|$/.test(line))).toHaveLength(readExercises().length)
  })

  it('the time that was worked, without the pauses', () => {
    const exercise = { startedAt: '', firstStartedAt: '', resets: 0, tasks: {} } as ExerciseProgress
    for (const time of ['10:00', '10:05', '10:29', '12:00', '12:01'])
      addWorkedTime(exercise, new Date(`2026-11-21T${time}:00Z`))
    expect(exercise.workedSeconds).toBe(30 * 60)
    addWorkedTime({ ...exercise, finishedAt: 'now' }, new Date('2026-11-21T12:05:00Z'))
    expect(exercise.workedSeconds).toBe(30 * 60)
  })

  it('progress as metrics: state, tries, points, and since when', async () => {
    const made = ofTheLab()
    await startExercise(made, offer)
    const points = progressMetrics(readProgress(), 'Ada', offer)
    const state = (task: string) =>
      points.find(({ name, labels }) => name === 'lab_class_task_state' && labels.task === task)?.value
    expect(state(made.tasks[0]!.id)).toBe(1)
    expect(state(made.tasks[1]!.id)).toBe(0)
    expect(points.every(({ labels }) => labels.student === 'Ada')).toBe(true)
    expect(points.filter(({ name }) => name === 'lab_class_task_reached_timestamp_seconds')).toHaveLength(1)
    // Nothing of what was answered leaves the machine.
    await saveAnswer(made, made.tasks[0]!.id, 'my-secret')
    expect(JSON.stringify(progressMetrics(readProgress(), 'Ada', offer))).not.toContain('my-secret')
  })

  it('only of tasks that can be done here: a finished exercise is finished where a recording is played, too', async () => {
    const made = readExercises().find(({ tasks }) => tasks.some(({ needs }) => needs?.source === 'live'))!
    const can = doableTasks(made, offer).tasks
    expect(can.length).toBeLessThan(made.tasks.length)
    const at = new Date().toISOString()
    await updateProgress(all => {
      all.current = made.name
      all.exercises[made.name] = {
        startedAt: at,
        firstStartedAt: at,
        resets: 0,
        tasks: Object.fromEntries(can.map(({ id }) => [id, { tries: 0, hints: 0, passedAt: at }])),
      }
    })
    const points = progressMetrics(readProgress(), 'Ada', offer)
    const values = (metric: string) => points.filter(({ name }) => name === metric).map(({ value }) => value)
    expect(values('lab_class_task_state')).toEqual(can.map(() => 2))
    expect(values('lab_class_points')).toEqual(values('lab_class_points_possible'))
  })

  it('goes to nobody unless the setting says so, and never stands in the way', async () => {
    const asked: string[] = []
    const original = globalThis.fetch
    const answer = (status: number) => {
      globalThis.fetch = async input => {
        asked.push(String(input))
        return new Response('no', { status, headers: { date: 'Sat, 21 Nov 2026 12:00:00 GMT' } })
      }
    }
    try {
      answer(200)
      expect(await sendProgress(offer)).toBeUndefined()
      expect(asked).toEqual([])
      const joined = { ...offer, settings: parseSettings({ class: { pushTo: 'http://teacher:9099/' } }) }
      expect(await sendProgress(joined)).toBeUndefined()
      expect(asked).toEqual(['http://teacher:9099/-/ready', 'http://teacher:9099/api/v1/otlp/v1/metrics'])
      answer(404)
      expect(await sendProgress(joined)).toMatch(/answers 404: no/)
      globalThis.fetch = async () => {
        throw new Error('refused')
      }
      expect(await sendProgress(joined)).toMatch(/does not answer/)
    } finally {
      globalThis.fetch = original
    }
  })

  it('asks whether a name is taken in the class, and takes no answer for no', async () => {
    const original = globalThis.fetch
    const asked: URL[] = []
    const answering = (body: object) => {
      globalThis.fetch = async input => {
        asked.push(new URL(String(input)))
        return Response.json(body)
      }
    }
    try {
      answering({ data: { result: [{ metric: { student: 'Ada' }, value: [1, '2'] }] } })
      expect(await isNameTaken('pi@lab "1"', 'http://teacher:9099/')).toBe(true)
      expect(asked[0]!.searchParams.get('query')).toContain('{student="pi@lab \\"1\\""}[6h]')
      answering({ data: { result: [] } })
      expect(await isNameTaken('Ada', 'http://teacher:9099')).toBe(false)
      globalThis.fetch = async () => {
        throw new Error('refused')
      }
      expect(await isNameTaken('Ada', 'http://teacher:9099')).toBe(false)
    } finally {
      globalThis.fetch = original
    }
  })

  it('as OTLP in JSON', () => {
    const request = otlpRequest([{ name: 'a', labels: { student: 'Ada' }, value: 2 }], new Date(1_000))
    expect(request).toMatchObject({
      resourceMetrics: [
        {
          scopeMetrics: [
            {
              metrics: [
                {
                  name: 'a',
                  gauge: {
                    dataPoints: [
                      {
                        attributes: [{ key: 'student', value: { stringValue: 'Ada' } }],
                        timeUnixNano: '1000000000',
                        asDouble: 2,
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    })
  })
})

describe('the class', () => {
  it('shows where each is, the stuck first', async () => {
    const now = new Date('2026-11-21T12:00:00Z')
    const seconds = now.getTime() / 1000
    const of = (student: string, value: number, more: Record<string, string> = {}): Sample => ({
      labels: { student, ...more },
      value,
    })
    const at = { exercise: '01-x', task: 'b' }
    const metrics: Record<string, Sample[]> = {
      seen_timestamp_seconds: [
        of('Dee', seconds - 3600),
        of('Ada', seconds - 60),
        of('Bob', seconds),
        of('Cem', seconds),
      ],
      points: [of('Ada', 3), of('Bob', 1), of('Cem', 6), of('Dee', 2)],
      points_possible: [of('Ada', 6), of('Bob', 6), of('Cem', 6), of('Dee', 6)],
      task_state: [of('Dee', 1, at), of('Ada', 1, at), of('Bob', 1, at), of('Bob', 2, { exercise: '01-x', task: 'a' })],
      task_tries: [of('Ada', 1, at), of('Bob', 4, at), of('Dee', 7, at)],
      task_reached_timestamp_seconds: [
        of('Ada', seconds - 120, at),
        of('Bob', seconds - 300, at),
        of('Dee', seconds - 4200, at),
      ],
    }
    const promql = (query: string) => metrics[/lab_class_(\w+)\[/.exec(query)![1]!]!
    const known = { possible: 6, stuck: false, away: false, minutesSilent: 0 }
    expect(await readClass(fakeLabClient({ promql }), now)).toEqual([
      { ...known, student: 'Bob', points: 1, at: { ...at, minutes: 5, tries: 4 }, stuck: true },
      { ...known, student: 'Ada', points: 3, at: { ...at, minutes: 2, tries: 1 }, minutesSilent: 1 },
      { ...known, student: 'Cem', points: 6, at: undefined },
      // Away is not stuck, and does not grow older.
      { ...known, student: 'Dee', points: 2, at: { ...at, minutes: 10, tries: 7 }, away: true, minutesSilent: 60 },
    ])
    expect(await readClass(fakeLabClient())).toEqual([])
  })
})

describe('a new exercise', () => {
  it('is sound, is numbered on, and is not made twice', () => {
    mkdirSync(labs)
    expect(createExercise('watch-a-shell', labs)).toBe('01-watch-a-shell')
    expect(createExercise('another', labs)).toBe('02-another')
    expect(readExercise('01-watch-a-shell', labs)).toMatchObject({ title: 'Watch a shell', tasks: [{ id: 'program' }] })
    expect(readFileSync(join(labs, '01-watch-a-shell', 'README.md'), 'utf8')).toMatch(/^# Watch a shell\n/)
    expect(() => createExercise('02-another', labs)).toThrow(/there is labs\/02-another/)
    expect(() => createExercise('Not a name', labs)).toThrow(/lower-case/)
  })
})
