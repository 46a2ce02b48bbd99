import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  isNameTaken,
  otlpRequest,
  progressMetrics,
  sendProgress,
} from '../../../../scripts/exercise/class/progress-metrics.ts'
import { doableTasks } from '../../../../scripts/exercise/definition/capabilities.ts'
import { readExercises } from '../../../../scripts/exercise/definition/exercises.ts'
import { newProgress, type Progress } from '../../../../scripts/exercise/session/progress.ts'
import { parseSettings } from '../../../../shared/settings/parser.ts'
import { replayCapabilities, temporaryFolders } from '../../../fakes/exercise-session.ts'

const now = new Date().toISOString()
afterEach(() => void vi.unstubAllGlobals())

describe('the metrics of a student', () => {
  it('hold the state of each task, and when it was reached, but no answers', () => {
    const [exercise] = readExercises()
    const [first, second] = exercise!.tasks
    const answer = { value: 'my-secret', at: now }
    const progress: Progress = {
      version: 1,
      current: exercise!.name,
      exercises: {
        [exercise!.name]: { ...newProgress(), tasks: { [first!.id]: { tries: 0, hints: 0, reachedAt: now, answer } } },
      },
    }
    const points = progressMetrics(progress, 'Ada', replayCapabilities)
    const state = (task: string) =>
      points.find(({ name, labels }) => name === 'lab_class_task_state' && labels.task === task)?.value
    expect(state(first!.id)).toBe(1)
    expect(state(second!.id)).toBe(0)
    expect(points.every(({ labels }) => labels.student === 'Ada')).toBe(true)
    expect(points.filter(({ name }) => name === 'lab_class_task_reached_timestamp_seconds')).toHaveLength(1)
    expect(JSON.stringify(points)).not.toContain('my-secret')
  })

  it('leave out tasks that cannot be done here, so that an exercise can be finished with a recording', () => {
    const exercise = readExercises().find(({ tasks }) => tasks.some(({ needs }) => needs?.source === 'live'))!
    const { tasks } = doableTasks(exercise, replayCapabilities)
    expect(tasks.length).toBeLessThan(exercise.tasks.length)
    const passed = Object.fromEntries(tasks.map(({ id }) => [id, { tries: 0, hints: 0, passedAt: now }]))
    const progress: Progress = {
      version: 1,
      current: exercise.name,
      exercises: { [exercise.name]: { ...newProgress(), tasks: passed } },
    }
    const points = progressMetrics(progress, 'Ada', replayCapabilities)
    const values = (metric: string) => points.filter(({ name }) => name === metric).map(({ value }) => value)
    expect(values('lab_class_task_state')).toEqual(tasks.map(() => 2))
    expect(values('lab_class_points')).toEqual(values('lab_class_points_possible'))
  })
})

/** Replaces fetch. @returns the URLs that were requested. */
function fakeFetch(respond: () => Response): URL[] {
  const requests: URL[] = []
  vi.stubGlobal('fetch', async (input: string) => {
    requests.push(new URL(input))
    return respond()
  })
  return requests
}

const refuse = (): never => {
  throw new Error('refused')
}

describe('sending progress', () => {
  const joined = { ...replayCapabilities, settings: parseSettings({ class: { pushTo: 'http://teacher:9099/' } }) }
  const date = 'Sat, 21 Nov 2026 12:00:00 GMT'

  it('needs the setting class.pushTo', async () => {
    temporaryFolders()
    const requests = fakeFetch(refuse)
    expect(await sendProgress(replayCapabilities)).toBeUndefined()
    expect(requests).toEqual([])
  })

  it('asks the teacher’s Prometheus for the time, then sends the metrics', async () => {
    temporaryFolders()
    const requests = fakeFetch(() => new Response('', { status: 200, headers: { date } }))
    expect(await sendProgress(joined)).toBeUndefined()
    expect(requests.map(String)).toEqual(['http://teacher:9099/-/ready', 'http://teacher:9099/api/v1/otlp/v1/metrics'])
  })

  it('is left out for solutions that the lab runs, and for the progress of a test', async () => {
    const { root, ...folders } = temporaryFolders()
    const requests = fakeFetch(refuse)
    await sendProgress(joined, { folders, solving: true })
    await sendProgress(joined, { folders: { ...folders, progress: `${root}/other.json` } })
    expect(requests).toEqual([])
  })

  it('returns a sentence when the teacher’s Prometheus rejects it or is not responding', async () => {
    temporaryFolders()
    fakeFetch(() => new Response('no', { status: 404, headers: { date } }))
    expect(await sendProgress(joined)).toMatch(/responded with 404: no/)
    fakeFetch(refuse)
    expect(await sendProgress(joined)).toMatch(/is not responding/)
  })
})

describe('a student’s name', () => {
  it('is taken when the teacher’s Prometheus has seen it, and free when it is not responding', async () => {
    const seen = { data: { result: [{ metric: { student: 'Ada' }, value: [1, '2'] }] } }
    const requests = fakeFetch(() => Response.json(seen))
    expect(await isNameTaken('pi@lab "1"', 'http://teacher:9099/')).toBe(true)
    expect(requests[0]!.searchParams.get('query')).toContain('{student="pi@lab \\"1\\""}[6h]')
    fakeFetch(() => Response.json({ data: { result: [] } }))
    expect(await isNameTaken('Ada', 'http://teacher:9099')).toBe(false)
    fakeFetch(refuse)
    expect(await isNameTaken('Ada', 'http://teacher:9099')).toBe(false)
  })
})

it('the OTLP request has a gauge with the labels and the value', () => {
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
