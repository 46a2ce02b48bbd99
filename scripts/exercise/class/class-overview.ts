import { networkInterfaces } from 'node:os'
import type { Sample } from '../../telemetry/query-response.ts'
import type { LabClient } from '../check/lab-client.ts'

/** Returns the IPv4 addresses of this machine that other machines can reach. */
export const ownAddresses = (): string[] =>
  Object.entries(networkInterfaces())
    // Other machines cannot reach the networks of Docker and Kubernetes.
    .filter(([name]) => !/^(docker|br-|veth|virbr|cni|flannel)/.test(name))
    .flatMap(([, list]) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)

/** A student who has not been seen for this many minutes is away, not stuck. */
export const awayAfter = 30

/** A student's progress, as the teacher's Prometheus last received it. */
export interface Student {
  student: string
  points: number
  /** Points of the exercises that the student started. */
  possible: number
  /**
   * The current task, and the minutes on it up to when the student was last seen; undefined when the exercise is
   * finished.
   */
  at?: { exercise: string; task: string; minutes: number; tries: number }
  /** 3 failed tries, or 15 minutes on one task, and not away. */
  stuck: boolean
  /** Not seen for 30 minutes. */
  away: boolean
  minutesSilent: number
}

/** Returns the students who have sent progress in the last 6 hours: the stuck ones first, those who are away last. */
export async function readClass(lab: Pick<LabClient, 'promql'>, now = new Date()): Promise<Student[]> {
  const last = (metric: string): Promise<Sample[]> => lab.promql(`last_over_time(lab_class_${metric}[6h])`, now)
  const [seen, points, possible, states, tries, reached] = await Promise.all([
    last('seen_timestamp_seconds'),
    last('points'),
    last('points_possible'),
    last('task_state'),
    last('task_tries'),
    last('task_reached_timestamp_seconds'),
  ])
  return seen
    .map(({ labels, value }) =>
      describeStudent(labels.student ?? '', value, now, { points, possible, states, tries, reached }),
    )
    .sort(
      (a, b) =>
        Number(b.stuck) - Number(a.stuck) ||
        Number(a.away) - Number(b.away) ||
        (b.at?.minutes ?? 0) - (a.at?.minutes ?? 0),
    )
}

type ClassMetrics = Record<'points' | 'possible' | 'states' | 'tries' | 'reached', Sample[]>

function describeStudent(student: string, seenAt: number, now: Date, metrics: ClassMetrics): Student {
  const seconds = now.getTime() / 1000
  const minutesSilent = Math.round((seconds - seenAt) / 60)
  const away = minutesSilent > awayAfter
  const at = currentTask(student, away ? seenAt : seconds, metrics)
  return {
    student,
    points: totalFor(student, metrics.points),
    possible: totalFor(student, metrics.possible),
    at,
    stuck: at !== undefined && !away && (at.tries >= 3 || at.minutes > 15),
    away,
    minutesSilent,
  }
}

/** @param until Unix time up to which the minutes count. */
function currentTask(student: string, until: number, { states, tries, reached }: ClassMetrics): Student['at'] {
  const current = states.find(({ labels, value }) => labels.student === student && value === 1)?.labels
  if (!current) return undefined
  const { exercise = '', task = '' } = current
  const valueIn = (samples: Sample[]): number | undefined =>
    samples.find(({ labels }) => labels.student === student && labels.exercise === exercise && labels.task === task)
      ?.value
  const minutes = Math.max(0, Math.round((until - (valueIn(reached) ?? until)) / 60))
  return { exercise, task, minutes, tries: valueIn(tries) ?? 0 }
}

const totalFor = (student: string, samples: Sample[]): number =>
  samples.filter(({ labels }) => labels.student === student).reduce((total, { value }) => total + value, 0)
