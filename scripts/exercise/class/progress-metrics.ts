import { hostname, userInfo } from 'node:os'
import type { Settings } from '../../../shared/settings/schema.ts'
import { parseSamples, type QueryResponse } from '../../telemetry/query-response.ts'
import { type Capabilities, doableTasks } from '../definition/capabilities.ts'
import { exerciseNames, findExercise } from '../definition/exercises.ts'
import { exerciseFolders, isOwnProgress } from '../definition/folders.ts'
import { exerciseState } from '../session/exercise-state.ts'
import { type ExerciseProgress, type Progress, readProgress } from '../session/progress.ts'
import { isSolving } from '../session/session.ts'

// A student's progress as metrics, sent to the teacher's Prometheus as OTLP in JSON over HTTP. Each request holds
// everything, so a lost one does not matter.

/** A sample for the teacher's Prometheus. */
export interface MetricPoint {
  name: string
  labels: Record<string, string>
  value: number
}

/** The state of a task as a number. */
const taskStates = { open: 0, current: 1, passed: 2, solved: 3 } as const

/** Returns the name that the progress is sent with. */
export const studentName = ({ class: { student } }: Pick<Settings, 'class'>): string =>
  student || `${userInfo().username}@${hostname()}`

/** Returns the progress as metrics, of the tasks that can be done in this student's lab. */
export function progressMetrics(
  progress: Progress,
  student: string,
  capabilities: Capabilities,
  now = new Date(),
): MetricPoint[] {
  const known = new Set(exerciseNames())
  const seen = {
    name: 'lab_class_seen_timestamp_seconds',
    labels: { student },
    value: Math.floor(now.getTime() / 1000),
  }
  const started = Object.entries(progress.exercises).filter(([name]) => known.has(name))
  return [
    seen,
    ...started.flatMap(([name, ofExercise]) =>
      exerciseMetrics(name, ofExercise, student, capabilities, name === progress.current),
    ),
  ]
}

function exerciseMetrics(
  name: string,
  progress: ExerciseProgress,
  student: string,
  capabilities: Capabilities,
  isCurrent: boolean,
): MetricPoint[] {
  const exercise = findExercise(name)
  const choice = doableTasks(exercise, capabilities)
  const { tasks } = choice
  const state = exerciseState(exercise, choice, progress)
  const labels = { student, exercise: name, track: exercise.track }
  const currentTask = isCurrent ? tasks.find(({ id }) => !progress.tasks[id]?.passedAt)?.id : undefined
  const points: MetricPoint[] = [
    { name: 'lab_class_points', labels, value: state.points },
    { name: 'lab_class_points_possible', labels, value: state.most },
  ]
  for (const { id } of tasks) {
    const ofTask = progress.tasks[id]
    const number = String(exercise.tasks.findIndex(each => each.id === id) + 1)
    const taskLabels = { ...labels, task: id, number }
    const state = ofTask?.passedAt ? (ofTask.solved ? 'solved' : 'passed') : id === currentTask ? 'current' : 'open'
    points.push(
      { name: 'lab_class_task_state', labels: taskLabels, value: taskStates[state] },
      { name: 'lab_class_task_tries', labels: taskLabels, value: ofTask?.tries ?? 0 },
      { name: 'lab_class_task_hints', labels: taskLabels, value: ofTask?.hints ?? 0 },
    )
    if (ofTask?.reachedAt)
      points.push({
        name: 'lab_class_task_reached_timestamp_seconds',
        labels: taskLabels,
        value: Date.parse(ofTask.reachedAt) / 1000,
      })
  }
  return points
}

/** Returns the OTLP request for these metrics (ExportMetricsServiceRequest in JSON), with a gauge for each name. */
export function otlpRequest(points: MetricPoint[], at: Date): object {
  const attributes = (labels: Record<string, string>) =>
    Object.entries(labels).map(([key, stringValue]) => ({ key, value: { stringValue } }))
  const timeUnixNano = String(BigInt(at.getTime()) * 1_000_000n)
  const metrics = [...Map.groupBy(points, ({ name }) => name)].map(([name, samples]) => ({
    name,
    gauge: {
      dataPoints: samples.map(({ labels, value }) => ({
        attributes: attributes(labels),
        timeUnixNano,
        asDouble: value,
      })),
    },
  }))
  return {
    resourceMetrics: [
      {
        resource: { attributes: attributes({ 'service.name': 'lab-class' }) },
        scopeMetrics: [{ scope: { name: 'tetragon-lab' }, metrics }],
      },
    ],
  }
}

const teacherTimeoutMs = 2_500

const askTeacher = (pushTo: string, path: string, init?: RequestInit): Promise<Response> =>
  fetch(pushTo.replace(/\/$/, '') + path, { ...init, signal: AbortSignal.timeout(teacherTimeoutMs) })

/**
 * Sends the student's progress to the teacher, if the setting `class.pushTo` is set. Takes a few seconds at most and
 * never fails.
 * @returns a sentence for the student when the progress could not be sent.
 */
export async function sendProgress(
  capabilities: Capabilities,
  { folders = exerciseFolders(), solving = isSolving() } = {},
): Promise<string | undefined> {
  const { settings } = capabilities
  const { pushTo } = settings.class
  if (!pushTo || solving || !isOwnProgress(folders)) return undefined
  try {
    // The teacher's clock counts: Prometheus rejects samples from the past, and a sample from the future hides those
    // before it.
    const ready = await askTeacher(pushTo, '/-/ready')
    const now = new Date(ready.headers.get('date') ?? Date.now())
    const points = progressMetrics(readProgress(folders.progress), studentName(settings), capabilities, now)
    const response = await askTeacher(pushTo, '/api/v1/otlp/v1/metrics', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(otlpRequest(points, now)),
    })
    if (response.ok) return undefined
    const message = (await response.text()).trim().slice(0, 160)
    return `The teacher's Prometheus at ${pushTo} responded with ${response.status}: ${message}`
  } catch {
    return `The teacher's Prometheus at ${pushTo} is not responding. Your progress is saved and will be sent with the next check.`
  }
}

/**
 * Tells whether a student of that name has sent progress in the last 6 hours; false when the teacher's lab does not
 * respond.
 */
export async function isNameTaken(student: string, pushTo: string): Promise<boolean> {
  const query = `last_over_time(lab_class_seen_timestamp_seconds{student=${JSON.stringify(student)}}[6h])`
  try {
    const response = await askTeacher(pushTo, `/api/v1/query?${new URLSearchParams({ query })}`)
    return response.ok && parseSamples((await response.json()) as QueryResponse).length > 0
  } catch {
    return false
  }
}
