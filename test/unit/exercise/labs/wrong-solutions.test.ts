import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { checkTask } from '../../../../scripts/exercise/check/check-task.ts'
import { findExercise } from '../../../../scripts/exercise/definition/exercises.ts'
import { projectDir } from '../../../../shared/paths.ts'
import { type FakeLab, fakeLabClient } from '../../../fakes/lab-client.ts'

// Wrong solutions of the exercises in the track Run, each in a fake lab as it would be after that solution.

const value = (number: number) => [{ labels: {}, value: number }]

/** Answers a query with the value of the first of these pieces that it contains. */
const byPiece =
  (pieces: [string, number][]): FakeLab['promql'] =>
  query => {
    const found = pieces.find(([piece]) => query.includes(piece))
    return found ? value(found[1]) : []
  }

const rule =
  (expr: string): FakeLab['kubectl'] =>
  () => ({ stdout: expr })

const policy = readFileSync(join(projectDir, 'policies', 'observe-wget.yaml'), 'utf8').replaceAll(
  'namespace: application',
  'namespace: shop',
)

const wrong: [string, string, string, { answer?: string; lab?: FakeLab }][] = [
  [
    '11',
    'series',
    'events',
    {
      answer: '24310',
      lab: {
        promql: byPiece([
          ['count(', 118],
          ['sum(', 24310],
        ]),
      },
    },
  ],
  [
    '12',
    'rate',
    'a-second',
    {
      answer: '12.1',
      lab: {
        promql: byPiece([
          ['60 *', 726],
          ['exported', 12.1],
        ]),
      },
    },
  ],
  ['12', 'alarm', 'wrong-metric', { lab: { kubectl: rule('60 * sum(rate(tetragon_events_total[5m])) > 30') } }],
  [
    '12',
    'alarm',
    'wrong-number',
    { lab: { kubectl: rule('60 * sum(rate(tetragon_events_exported_total[5m])) > 100000') } },
  ],
  ['12', 'alarm', 'two-units', { lab: { kubectl: rule('60 * sum(rate(tetragon_events_exported_total[5m])) > 0.5') } }],
  [
    '13',
    'handed',
    'empty-sum',
    { answer: 'sum(a_received) + sum(a_lost) + sum(a_missed)', lab: { promql: byPiece([['{__name__', 8573]]) } },
  ],
  [
    '13',
    'handed',
    'received',
    { answer: 'sum(tetragon_observer_ringbuf_events_received_total)', lab: { promql: () => value(8573) } },
  ],
  ['13', 'away', 'deleted-pod', { lab: { kubectl: () => ({ stdout: '1' }), run: () => ({ stdout: '4s' }) } }],
  ['13', 'back', 'still-away', { lab: { kubectl: () => ({ stdout: '0' }) } }],
  [
    '14',
    'full',
    'evictions',
    {
      answer: 'rate(tetragon_process_cache_evictions_total[5m])',
      lab: {
        promql: byPiece([
          ['evictions', 28],
          ['size', 0.01],
        ]),
      },
    },
  ],
  [
    '15',
    'bundle',
    'own-namespace',
    {
      lab: {
        files: [
          { name: 'policies/observe-wget.yaml', text: policy.replaceAll('namespace: shop', 'namespace: application') },
        ],
      },
    },
  ],
  [
    '15',
    'repaired',
    'folder-changed',
    { lab: { files: [{ name: 'policies/observe-wget.yaml', text: policy.replaceAll('/wget', '/curl') }] } },
  ],
  [
    '16',
    'severity',
    'tag',
    { answer: 'severity.high', lab: { logql: () => [{ labels: { severity_text: 'error' }, value: 4 }] } },
  ],
]

it.each(wrong)('exercise %s, task %s: recognizes the dead end %s', async (name, id, deadEnd, { answer, lab }) => {
  const exercise = findExercise(name)
  const task = exercise.tasks.find(each => each.id === id)!
  const at = new Date()
  const attempt = await checkTask(
    task,
    {
      lab: fakeLabClient(lab),
      work: '/nowhere',
      workPath: `work/${exercise.name}`,
      startedAt: new Date(at.getTime() - 60_000),
      ...(answer !== undefined && { answer: { value: answer, at } }),
    },
    { once: true },
  )
  expect(attempt).toMatchObject({ passed: false, deadEnd: { id: deadEnd } })
})
