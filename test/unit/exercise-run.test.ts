import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { attempt } from '../../scripts/exercise/attempt.ts'
import { findExercise } from '../../scripts/exercise/exercises.ts'
import { projectDir } from '../../stacks/paths.ts'
import { type Answers, fakeWorld } from '../fakes/world.ts'

// Wrong solutions of the track Run, each in a fake lab that looks as it would after it: the student is told which way was gone.

const value = (number: number) => [{ labels: {}, value: number }]

/** Answers a query of which each of these pieces is a part, the first that fits. */
const byPiece =
  (pieces: [string, number][]): Answers['promql'] =>
  query => {
    const found = pieces.find(([piece]) => query.includes(piece))
    return found ? value(found[1]) : []
  }

const rule =
  (expr: string): Answers['kubectl'] =>
  () => ({ stdout: expr })

const policy = readFileSync(join(projectDir, 'policies', 'observe-wget.yaml'), 'utf8').replaceAll(
  'namespace: application',
  'namespace: shop',
)

const wrong: [string, string, string, { answer?: string; world?: Answers }][] = [
  ['11', 'series', 'events', { answer: '24310', world: { promql: () => value(118) } }],
  [
    '12',
    'rate',
    'a-second',
    {
      answer: '12.1',
      world: {
        promql: byPiece([
          ['60 *', 726],
          ['exported', 12.1],
        ]),
      },
    },
  ],
  ['12', 'alarm', 'wrong-metric', { world: { kubectl: rule('60 * sum(rate(tetragon_events_total[5m])) > 30') } }],
  [
    '12',
    'alarm',
    'wrong-number',
    { world: { kubectl: rule('60 * sum(rate(tetragon_events_exported_total[5m])) > 100000') } },
  ],
  ['13', 'away', 'deleted-pod', { world: { kubectl: () => ({ stdout: '1' }), run: () => ({ stdout: '4s' }) } }],
  ['13', 'back', 'still-away', { world: { kubectl: () => ({ stdout: '0' }) } }],
  [
    '14',
    'full',
    'evictions',
    {
      answer: 'rate(tetragon_process_cache_evictions_total[5m])',
      world: {
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
      world: {
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
    { world: { files: [{ name: 'policies/observe-wget.yaml', text: policy.replaceAll('/wget', '/curl') }] } },
  ],
  ['16', 'severity', 'tag', { answer: 'severity.high' }],
]

it.each(wrong)('%s: %s by a wrong way ends in %s', async (name, id, deadEnd, { answer, world }) => {
  const exercise = findExercise(name)
  const task = exercise.tasks.find(each => each.id === id)!
  const at = new Date()
  const made = await attempt(
    task,
    {
      world: fakeWorld(world),
      work: '/nowhere',
      workPath: `work/${exercise.name}`,
      startedAt: new Date(at.getTime() - 60_000),
      ...(answer !== undefined && { answer: { value: answer, at } }),
    },
    { once: true },
  )
  expect(made).toMatchObject({ passed: false, deadEnd: { id: deadEnd } })
})
