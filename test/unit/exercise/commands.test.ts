import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { execa } from 'execa'
import { describe, expect, it, onTestFinished } from 'vitest'
import { attempt } from '../../../scripts/exercise/check/attempt.ts'
import { findExercise } from '../../../scripts/exercise/definition/exercises.ts'
import { projectDir } from '../../../shared/paths.ts'
import { type Answers, fakeWorld } from '../../fakes/world.ts'

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
  [
    '11',
    'series',
    'events',
    {
      answer: '24310',
      world: {
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
  [
    '12',
    'alarm',
    'two-units',
    { world: { kubectl: rule('60 * sum(rate(tetragon_events_exported_total[5m])) > 0.5') } },
  ],
  [
    '13',
    'handed',
    'empty-sum',
    { answer: 'sum(a_received) + sum(a_lost) + sum(a_missed)', world: { promql: byPiece([['{__name__', 8573]]) } },
  ],
  [
    '13',
    'handed',
    'received',
    { answer: 'sum(tetragon_observer_ringbuf_events_received_total)', world: { promql: () => value(8573) } },
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
  [
    '16',
    'severity',
    'tag',
    { answer: 'severity.high', world: { logql: () => [{ labels: { severity_text: 'error' }, value: 4 }] } },
  ],
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

// The script that exercise 13 counts with. A fake lab whose kubectl is a fake, too: what is run in the pod runs here, and Loki answers the same for each minute.
describe('compare.sh', () => {
  const script = join(projectDir, 'labs', '13-nothing-is-lost', 'files', 'compare.sh')
  const recorded = gunzipSync(
    readFileSync(join(projectDir, 'stacks/monitoring/replay/recordings/guestbook/tetragon.log.gz')),
  )
    .toString('utf8')
    .split('\n')
    .filter(Boolean)

  /** With as many real events in the file in each of the last six minutes, and as many in Loki. */
  async function compare(inFile: number, inLoki: number): Promise<string> {
    const folder = mkdtempSync(join(tmpdir(), 'lab-compare-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const minutes = [0, 1, 2, 3, 4, 5, 6].map(ago => new Date(Date.now() - ago * 60_000).toISOString().slice(0, 16))
    const lines = minutes.flatMap(minute =>
      recorded.slice(0, inFile).map(line => line.replace(/"time":"[^"]*"/, `"time":"${minute}:30.5Z"`)),
    )
    writeFileSync(join(folder, 'tetragon.log'), lines.map(line => `${line}\n`).join(''))
    writeFileSync(
      join(folder, 'kubectl'),
      `#!/usr/bin/env bash
case "$*" in
  *'get daemonsets'*) echo daemonset.apps/node-exporter; echo daemonset.apps/tetragon-replay ;;
  *'daemonset.apps/tetragon-replay -- sh -c'*) sh -c "$(sed 's#/var/log/tetragon#${folder}#g' <<<"\${@: -1}")" ;;
  *--raw*) echo '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1795261455.4,"${inLoki}"]}]}}' ;;
  *) exit 9 ;;
esac
`,
    )
    writeFileSync(join(folder, 'lab'), `#!/bin/sh\necho 'export PATH="${folder}:$PATH"'\n`)
    for (const name of ['kubectl', 'lab']) chmodSync(join(folder, name), 0o755)
    const { stdout } = await execa('bash', [script], { cwd: folder })
    return stdout
  }

  it('counts both ends, minute by minute', async () => {
    const lines = (await compare(7, 7)).split('\n')
    expect(lines).toHaveLength(6)
    expect(lines[1]).toMatch(/^\d\d:\d\d\s+7\s+7$/)
    expect(lines.at(-1)).toBe('nothing is missing')
  })

  it('says how many are missing', async () => {
    expect((await compare(7, 5)).split('\n').at(-1)).toBe('8 are missing')
  })

  it('takes an empty file for no proof', async () => {
    expect((await compare(0, 0)).split('\n').at(-1)).toBe('the file holds no events of these minutes')
  })
})
