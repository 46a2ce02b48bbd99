import { hostname, userInfo } from 'node:os'
import type { Settings } from '../../../shared/settings/schema.ts'
import { exerciseNames, findExercise } from '../definition/exercises.ts'
import { type Capabilities, doable } from '../definition/requirements.ts'
import { type Progress, readProgress } from '../session/progress.ts'

// What a student's lab tells the teacher's, when it was asked to: how far each task is. Sent as metrics (OTLP over HTTP, as JSON) to the teacher's
// own Prometheus. All that is known is sent each time, so whatever got lost on the way is made good by the next.

/** One value for the teacher's Prometheus. */
export interface Point {
  name: string
  labels: Record<string, string>
  value: number
}

/** States of a task as numbers. */
export const taskStates = { open: 0, current: 1, passed: 2, solved: 3 } as const

/** The name under which progress is sent. */
export const studentName = ({ class: { student } }: Pick<Settings, 'class'>): string =>
  student || `${userInfo().username}@${hostname()}`

/** Progress as values: of the tasks that can be done in this student's lab. */
export function progressPoints(progress: Progress, student: string, offer: Capabilities, now = new Date()): Point[] {
  const known = new Set(exerciseNames())
  const points: Point[] = [
    { name: 'lab_class_seen_timestamp_seconds', labels: { student }, value: Math.floor(now.getTime() / 1000) },
  ]
  for (const [name, { tasks: done }] of Object.entries(progress.exercises)) {
    if (!known.has(name)) continue
    const exercise = findExercise(name)
    const { track } = exercise
    const { tasks } = doable(exercise, offer)
    const at = name === progress.current ? tasks.find(({ id }) => !done[id]?.passedAt)?.id : undefined
    const of = { student, exercise: name, track }
    points.push(
      {
        name: 'lab_class_points',
        labels: of,
        value: total(tasks.filter(({ id }) => done[id]?.passedAt && !done[id].solved)),
      },
      { name: 'lab_class_points_possible', labels: of, value: total(tasks) },
    )
    for (const { id } of tasks) {
      const task = { ...of, task: id, number: String(exercise.tasks.findIndex(each => each.id === id) + 1) }
      const mine = done[id]
      const state = mine?.passedAt ? (mine.solved ? 'solved' : 'passed') : id === at ? 'current' : 'open'
      points.push(
        { name: 'lab_class_task_state', labels: task, value: taskStates[state] },
        { name: 'lab_class_task_tries', labels: task, value: mine?.tries ?? 0 },
        { name: 'lab_class_task_hints', labels: task, value: mine?.hints ?? 0 },
      )
      if (mine?.reachedAt)
        points.push({
          name: 'lab_class_task_reached_timestamp_seconds',
          labels: task,
          value: Date.parse(mine.reachedAt) / 1000,
        })
    }
  }
  return points
}

const total = (tasks: { points: number }[]): number => tasks.reduce((sum, { points }) => sum + points, 0)

/** Values as an OTLP request (ExportMetricsServiceRequest in JSON): a gauge for each name. */
export function otlpRequest(points: Point[], at: Date): object {
  const attributes = (labels: Record<string, string>) =>
    Object.entries(labels).map(([key, stringValue]) => ({ key, value: { stringValue } }))
  const timeUnixNano = String(BigInt(at.getTime()) * 1_000_000n)
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributes({ 'service.name': 'lab-class' }) },
        scopeMetrics: [
          {
            scope: { name: 'tetragon-lab' },
            metrics: [...Map.groupBy(points, ({ name }) => name)].map(([name, list]) => ({
              name,
              gauge: {
                dataPoints: list.map(({ labels, value }) => ({
                  attributes: attributes(labels),
                  timeUnixNano,
                  asDouble: value,
                })),
              },
            })),
          },
        ],
      },
    ],
  }
}

/**
 * Tells the teacher how far this student is, where the setting `class.pushTo` says whom to tell. Takes at most a few seconds and is never a reason to fail.
 * @returns a sentence for the student when the teacher could not be told, or undefined.
 */
export async function tellTeacher(offer: Capabilities, progress = readProgress()): Promise<string | undefined> {
  const { settings } = offer
  const { pushTo } = settings.class
  if (!pushTo || process.env.LAB_SOLVING || process.env.LAB_PROGRESS) return undefined
  const base = pushTo.replace(/\/$/, '')
  const request = (path: string, init?: RequestInit) =>
    fetch(base + path, { ...init, signal: AbortSignal.timeout(2_500) })
  try {
    // The teacher's clock counts: a sample from the past is refused, one from the future hides all that come before it.
    const ready = await request('/-/ready')
    const now = new Date(ready.headers.get('date') ?? Date.now())
    const body = JSON.stringify(otlpRequest(progressPoints(progress, studentName(settings), offer, now), now))
    const answer = await request('/api/v1/otlp/v1/metrics', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    if (answer.ok) return undefined
    return `The teacher's Prometheus at ${pushTo} answers ${answer.status}: ${(await answer.text()).trim().slice(0, 160)}`
  } catch {
    return `The teacher's Prometheus at ${pushTo} does not answer; your progress is kept here and told with the next check.`
  }
}

/**
 * Whether the teacher has heard of somebody of that name in the last six hours; false where the teacher cannot be asked.
 */
export async function isKnown(student: string, pushTo: string): Promise<boolean> {
  const query = `last_over_time(lab_class_seen_timestamp_seconds{student=${JSON.stringify(student)}}[6h])`
  try {
    const answer = await fetch(`${pushTo.replace(/\/$/, '')}/api/v1/query?${new URLSearchParams({ query })}`, {
      signal: AbortSignal.timeout(2_500),
    })
    const { data } = (await answer.json()) as { data?: { result?: unknown[] } }
    return answer.ok && (data?.result?.length ?? 0) > 0
  } catch {
    return false
  }
}
