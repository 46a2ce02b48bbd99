import { describe, expect, it } from 'vitest'
import { readClass } from '../../../../scripts/exercise/class/class-overview.ts'
import type { Sample } from '../../../../scripts/telemetry/query-response.ts'
import { fakeLabClient } from '../../../fakes/lab-client.ts'

describe('the class', () => {
  it('lists the current task of each student: stuck ones first, those who are away last', async () => {
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
      // A student who is away is not stuck, and the minutes on the task stop.
      { ...known, student: 'Dee', points: 2, at: { ...at, minutes: 10, tries: 7 }, away: true, minutesSilent: 60 },
    ])
    expect(await readClass(fakeLabClient())).toEqual([])
  })
})
