import { networkInterfaces } from 'node:os'
import type { LabClient, Sample } from '../check/lab-client.ts'

/** IPv4 addresses of this machine that others may reach. */
export const ownAddresses = (): string[] =>
  Object.entries(networkInterfaces())
    // Docker's own networks lead nowhere.
    .filter(([name]) => !/^(docker|br-|veth|virbr|cni|flannel)/.test(name))
    .flatMap(([, list]) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)

/** Whoever was not heard of for so many minutes is not stuck, but away. */
export const awayAfter = 30

/** How a student stands, as the teacher's Prometheus has last heard. */
export interface Student {
  student: string
  points: number
  /** Of the exercises that were started. */
  possible: number
  /** The task that the student is at, and for how many minutes up to when he or she was last heard of; undefined when the exercise is done. */
  at?: { exercise: string; task: string; minutes: number; tries: number }
  /** Three failed tries, or a quarter of an hour at one task, and not away. */
  stuck: boolean
  /** Not heard of for half an hour. */
  away: boolean
  minutesSilent: number
}

/** Everybody who has sent progress in the last six hours, those who are stuck first and those who are away last. */
export async function readClass(world: Pick<LabClient, 'promql'>, now = new Date()): Promise<Student[]> {
  const last = (metric: string): Promise<Sample[]> => world.promql(`last_over_time(lab_class_${metric}[6h])`, now)
  const [seen, points, possible, states, tries, reached] = await Promise.all([
    last('seen_timestamp_seconds'),
    last('points'),
    last('points_possible'),
    last('task_state'),
    last('task_tries'),
    last('task_reached_timestamp_seconds'),
  ])
  const seconds = now.getTime() / 1000
  const total = (samples: Sample[], student: string): number =>
    samples.filter(({ labels }) => labels.student === student).reduce((sum, { value }) => sum + value, 0)
  return seen
    .map(({ labels: { student = '' }, value }): Student => {
      const current = states.find(each => each.labels.student === student && each.value === 1)?.labels
      const of = (samples: Sample[]): number | undefined =>
        samples.find(
          ({ labels }) =>
            labels.student === student && labels.exercise === current?.exercise && labels.task === current?.task,
        )?.value
      const minutesSilent = Math.round((seconds - value) / 60)
      const away = minutesSilent > awayAfter
      const at = current && {
        exercise: current.exercise!,
        task: current.task!,
        minutes: Math.max(0, Math.round(((away ? value : seconds) - (of(reached) ?? seconds)) / 60)),
        tries: of(tries) ?? 0,
      }
      return {
        student,
        points: total(points, student),
        possible: total(possible, student),
        at,
        stuck: at !== undefined && !away && (at.tries >= 3 || at.minutes > 15),
        away,
        minutesSilent,
      }
    })
    .sort(
      (a, b) =>
        Number(b.stuck) - Number(a.stuck) ||
        Number(a.away) - Number(b.away) ||
        (b.at?.minutes ?? 0) - (a.at?.minutes ?? 0),
    )
}
