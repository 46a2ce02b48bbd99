import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { isRecorded, kubeconfigContext } from '../../scripts/cluster/cluster-records.ts'
import { parseCandidates } from '../../scripts/exercise/check/policy-check.ts'
import { parseExercise } from '../../scripts/exercise/definition/exercises.ts'
import { readProgress } from '../../scripts/exercise/session/progress.ts'
import { progressReport } from '../../scripts/exercise/view/progress-report.ts'
import { parseProbe } from '../../scripts/kernel/kernel-facts.ts'
import { judgeKernel } from '../../scripts/kernel/verdict.ts'
import { withLabLock } from '../../scripts/lab/run-lock.ts'
import { compareWithLastUp } from '../../scripts/lab/up-to-date.ts'
import { lintPolicy } from '../../scripts/policy/lint/lint.ts'
import {
  clearState,
  hasPendingOperations,
  repairStore,
  stateDigest,
  stateHasNode,
  stateProblem,
  stateResources,
} from '../../scripts/pulumi/state.ts'
import { rememberDigests, rememberedDigest } from '../../scripts/supplies/remembered-digests.ts'
import { LabError } from '../../shared/lab-error.ts'
import { readLock } from '../../shared/lock.ts'
import { labPath, projectDir } from '../../shared/paths.ts'
import { parsePolicy } from '../../shared/policy-file.ts'
import { parseSettings, settingsFromConfig } from '../../shared/settings/parser.ts'
import { readStackConfig } from '../../shared/settings/stack-file.ts'
import { readStateFile, writeStateFile } from '../../shared/state-file.ts'
import { Metrics } from '../../stacks/monitoring/replay/metrics.ts'
import { Player } from '../../stacks/monitoring/replay/player.ts'
import {
  parseEvents,
  parseSamples,
  RecordingError,
  readRecording,
  Schedule,
} from '../../stacks/monitoring/replay/recording.ts'
import { formatTime, parseTime, shiftTimestamps } from '../../stacks/monitoring/replay/time.ts'
import { damaged, twisted } from './support/mutations.ts'

// Whatever stands in a file: it is taken, or refused in three lines; nothing else is thrown, and nothing waits for ever.
// The seed is fixed, so a run is like the one before; fast-check prints it with what failed. To look further:
//   FUZZ_SEED=7 FUZZ_TIMES=50 npx vitest run test/unit/fuzz.test.ts --testTimeout 600000

const times = Number(process.env.FUZZ_TIMES ?? 1)
fc.configureGlobal({ seed: Number(process.env.FUZZ_SEED ?? 6), numRuns: 80 * times })

const folder = mkdtempSync(join(tmpdir(), 'lab-fuzz-'))
const before = process.env.LAB_DIR
beforeAll(() => {
  process.env.LAB_DIR = join(folder, '.lab')
})
afterAll(() => {
  if (before === undefined) delete process.env.LAB_DIR
  else process.env.LAB_DIR = before
  rmSync(folder, { recursive: true, force: true })
})

/** What reading gives: its value, or undefined where it refuses in three lines. */
function taken<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    return refused(error)
  }
}

function refused(error: unknown): undefined {
  if (!(error instanceof LabError)) throw error
  expect(
    error.lines().filter(line => /[\p{Cc}]/u.test(line) || line.length > 600 || /\[object|undefined|NaN/.test(line)),
  ).toEqual([])
  for (const part of [error.found, error.next]) expect(part).not.toBe('')
}

const read = (file: string): Buffer => readFileSync(join(projectDir, file))
const files = (pattern: string): string[] => globSync(pattern, { cwd: projectDir }).sort()
const check = <T>(what: fc.Arbitrary<T>, holds: (value: T) => unknown, numRuns = 80): void =>
  fc.assert(
    fc.property(what, value => void holds(value)),
    { numRuns: numRuns * times },
  )

describe('settings', () => {
  const whole = JSON.parse(JSON.stringify(parseSettings({}))) as unknown

  test('are taken, and then are the same when read again', () => {
    check(fc.oneof(twisted(whole), fc.jsonValue()), given => {
      const settings = taken(() => parseSettings(given))
      if (settings) expect(parseSettings(settings)).toEqual(settings)
    })
  })

  test('as Pulumi hands them over', () => {
    check(
      fc.dictionary(
        fc.oneof(fc.string(), fc.constantFrom('tetragon-lab:traffic', 'tetragon-lab:', ':')),
        fc.oneof(fc.string(), fc.json()),
      ),
      config => {
        taken(() => settingsFromConfig(config))
      },
    )
  })

  test('as they stand in their file', () => {
    const file = join(folder, 'Pulumi.dev.yaml')
    const sections = Object.entries(whole as object).map(([name, value]) => [`tetragon-lab:${name}`, value])
    const text = Buffer.from(stringify({ encryptionsalt: 'v1:x', config: Object.fromEntries(sections) }))
    check(
      damaged(text),
      bytes => {
        writeFileSync(file, bytes)
        taken(() => parseSettings(readStackConfig(file)))
      },
      80,
    )
  })
})

describe('locks', () => {
  const file = join(folder, 'lock.yaml')
  const given = read('lab.lock.yaml')
  const lock = (content: string | Buffer, laid: 'over' | 'alone'): void => {
    writeFileSync(file, content)
    taken(() => (laid === 'over' ? readLock(file) : readLock('', file)))
  }

  test('with their bytes damaged', () => check(damaged(given), bytes => lock(bytes, 'alone'), 50))
  test('with their values twisted', () =>
    check(twisted(parse(given.toString())), value => lock(JSON.stringify(value), 'alone'), 80))
  test('laid over the own', () =>
    check(
      twisted({ version: 1, charts: { loki: { version: '1', url: 'x' } }, tools: { kind: { version: '1' } } }),
      value => lock(JSON.stringify(value), 'over'),
      25,
    ))
})

describe('exercises', () => {
  const all = files('labs/*/exercise.yaml')

  test('with their bytes damaged', () => {
    check(
      fc.constantFrom(...all).chain(file => damaged(read(file))),
      bytes => taken(() => parseExercise(bytes.toString(), '01-x')),
      60,
    )
  })

  test('with their values twisted', () => {
    const values = all.map(file => parse(read(file).toString()))
    check(
      fc.constantFrom(...values).chain(twisted),
      value => taken(() => parseExercise(JSON.stringify(value), '01-x')),
      100,
    )
  })
})

describe('policies', () => {
  const all = files('policies/*.yaml')
  const look = (text: string): void => {
    for (const { line, message, fix } of lintPolicy(text, 'x.yaml')) {
      expect(line).toBeGreaterThan(0)
      expect(message.length * fix.length).toBeGreaterThan(0)
    }
    parseCandidates(text, 'x.yaml')
    taken(() => parsePolicy(text, 'x.yaml'))
  }

  test('with their bytes damaged', () =>
    check(
      fc.constantFrom(...all).chain(file => damaged(read(file))),
      bytes => look(bytes.toString()),
      60,
    ))
  test('with their values twisted', () => {
    const values = all.map(file => parse(read(file).toString()))
    check(fc.constantFrom(...values).chain(twisted), value => look(JSON.stringify(value)), 120)
  })
  test('and whatever else is YAML, or is not', () =>
    check(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map(value => stringify(value)),
      ),
      look,
    ))
})

describe('recordings', () => {
  const recording = 'stacks/monitoring/replay/recordings/guestbook'
  const lines = (file: string, count: number): Buffer =>
    Buffer.from(
      gunzipSync(read(`${recording}/${file}`))
        .toString()
        .split('\n')
        .slice(0, count)
        .join('\n'),
    )
  const events = lines('tetragon.log.gz', 12)
  const samples = lines('metrics.jsonl.gz', 2)
  const schedule = new Schedule(parseEvents(events), 12)
  const played = <T>(play: () => T): T | undefined => {
    try {
      return play()
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error
      return undefined
    }
  }
  /** Takes what the player does with it: lines as of now, and the metrics of some moments. */
  const play = (events: Buffer, samples: Buffer): void => {
    const list = parseEvents(events)
    const schedule = new Schedule(list, 12)
    for (const { line } of list) shiftTimestamps(line.toString(), time => schedule.toPlayedTime(time, 3, 1.7e12))
    const metrics = new Metrics(parseSamples(samples), schedule)
    for (const now of [0, 1.7e12, 1.7e12 + schedule.roundMs * 2.5])
      metrics.text({ now, epoch: 1.7e12, startedAt: 1.7e12 })
  }

  test('with events damaged', () => check(damaged(events), bytes => played(() => play(bytes, samples)), 60))
  test('with samples damaged', () => check(damaged(samples), bytes => played(() => play(events, bytes)), 30))
  test('with values twisted', () => {
    const first = JSON.parse(events.toString().split('\n')[0]!)
    check(twisted(first), value => played(() => parseEvents(Buffer.from(`${JSON.stringify(value)}\n`))))
  })

  test('as files, whole or cut off', () => {
    const put = (name: string, bytes: Buffer): void => writeFileSync(join(folder, name), bytes)
    put('metrics.jsonl.gz', gzipSync(samples))
    check(
      damaged(gzipSync(events)),
      bytes => {
        put('tetragon.log.gz', bytes)
        played(() => readRecording(folder, 12))
      },
      60,
    )
  })

  test('go on from whatever state they find', () => {
    writeFileSync(join(folder, 'tetragon.log.gz'), gzipSync(events))
    writeFileSync(join(folder, 'metrics.jsonl.gz'), gzipSync(samples))
    const exportFile = join(folder, 'tetragon.log')
    const state = { epoch: Date.now() - 10 * schedule.roundMs, length: schedule.roundMs, startedAt: Date.now() }
    check(
      fc.oneof(twisted(state), fc.record({ epoch: fc.double(), length: fc.double(), startedAt: fc.double() })),
      value => {
        writeFileSync(exportFile, '')
        writeFileSync(join(folder, 'replay-state.json'), JSON.stringify(value))
        const player = new Player({
          recordingDir: folder,
          exportFile: { path: exportFile },
          eventsPerSecond: 12,
        })
        expect(player.metricsText()).toContain('tetragon_')
        player.file.close()
      },
      40,
    )
  })

  test('hold times that are written as they were read', () => {
    const instants = fc.bigInt({ min: -62_135_596_800_000_000_000n, max: 253_402_300_799_999_999_999n })
    check(instants, ns => expect(parseTime(formatTime(ns))).toBe(ns))
    for (const line of events.toString().split('\n')) expect(shiftTimestamps(line, ns => ns)).toBe(line)
  })
})

describe('what .lab keeps', () => {
  const written = (name: string, content: Buffer | string): void => writeFileSync(labPath(...name.split('/')), content)
  /** A file's content damaged in its bytes or in its values, or something else altogether. */
  const anyOf = (value: unknown): fc.Arbitrary<Buffer | string> =>
    fc.oneof(
      damaged(Buffer.from(JSON.stringify(value))),
      twisted(value).map(twist => JSON.stringify(twist)),
      fc.json(),
      fc.string(),
    )

  test('of who holds the lab', async () => {
    const running = { pid: 2 ** 30, action: 'up', since: new Date().toISOString(), boot: '' }
    await fc.assert(
      fc.asyncProperty(anyOf(running), async content => {
        written('running.json', content)
        // Nobody has that number, and nothing else is a number of a process.
        const done = await withLabLock('down', async () => 'in', 1).catch(refused)
        if (done !== 'in')
          expect(readStateFile(labPath('running.json'), z.unknown())).toMatchObject({
            pid: expect.any(Number),
          })
        rmSync(labPath('running.json'), { force: true })
      }),
      { numRuns: 60 * times },
    )
  })

  test('of the cluster', () =>
    check(anyOf({ name: 'lab' }), content => {
      written('cluster.json', content)
      isRecorded('lab')
    }))

  test('of its kubeconfig', () => {
    const config = {
      'current-context': 'kind-lab',
      clusters: [{ cluster: { server: 'https://127.0.0.1:1' } }],
      users: [{ user: { 'client-key-data': 'x' } }],
    }
    check(anyOf(config), content => {
      written('kubeconfig', content)
      kubeconfigContext(labPath('kubeconfig'))
    })
    rmSync(labPath('kubeconfig'))
  })

  test('of the last up', async () => {
    const record = {
      inputs: 'same',
      state: '',
      workloads: [{ key: 'monitoring/Deployment/grafana', release: 'grafana' }],
    }
    await fc.assert(
      fc.asyncProperty(anyOf(record), async content => {
        written('stood-up.json', content)
        const access = { settings: parseSettings({}), env: {} }
        expect((await compareWithLastUp(access, 'same')).result).not.toBe('same')
      }),
    )
  })

  test('of digests, which are kept with what was there', async () => {
    check(anyOf({ 'https://x/y.tgz': 'a'.repeat(64) }), content => {
      written('remembered.json', content)
      taken(() => rememberedDigest('https://x/y.tgz'))
    })
    rmSync(labPath('remembered.json'))
    await fc.assert(
      fc.asyncProperty(fc.webUrl(), fc.stringMatching(/^[0-9a-f]{64}$/), async (address, digest) => {
        await rememberDigests({ [address]: digest })
        expect(rememberedDigest(address)).toBe(digest)
      }),
      { numRuns: 15 * times },
    )
  })

  test('of exercises, of which a report can be made', () => {
    const at = '2026-11-21T09:27:20.957Z'
    const progress = {
      version: 1,
      current: '01-watch-programs',
      exercises: {
        '01-watch-programs': {
          startedAt: at,
          firstStartedAt: at,
          finishedAt: at,
          resets: 1,
          tasks: { reader: { reachedAt: at, tries: 2, hints: 1, passedAt: at, answer: { value: 'x', at } } },
        },
      },
    }
    const offer = { running: true, source: 'replay', why: 'no BTF' } as never
    check(anyOf(progress), content => {
      written('exercises.json', content)
      const read = taken(readProgress)
      if (read)
        expect(
          progressReport(read, { ...(offer as object), features: {}, settings: parseSettings({}) } as never),
        ).toContain('# Lab report')
    })
    rmSync(labPath('exercises.json'))
  })

  test('of Pulumi’s state, which is then sound or of no use', () => {
    const state = {
      version: 3,
      checkpoint: {
        stack: 'organization/tetragon-lab/dev',
        latest: {
          manifest: { time: '2026-11-26T14:57:35Z', magic: 'x', version: 'v3.259.0' },
          secrets_providers: {
            type: 'passphrase',
            state: { salt: 'v1:2r4DnGOZc2g=:v1:rnz52nM10+eYcftI:z/JeLSY1bUKuPPJlgJLYheu3traoNg==' },
          },
          resources: [
            {
              urn: 'urn:pulumi:dev::tetragon-lab::command:local:Command::cluster-node',
              type: 'command:local:Command',
              outputs: {},
            },
          ],
          pending_operations: [{ type: 'creating' }],
        },
      },
    }
    check(anyOf(state), content => {
      written('state/.pulumi/stacks/tetragon-lab/dev.json', content)
      repairStore()
      stateDigest()
      const problem = stateProblem()
      if (problem) expect([stateResources(), stateHasNode(), hasPendingOperations()]).toEqual([[], false, false])
      clearState()
      expect([stateResources(), stateHasNode(), hasPendingOperations()]).toEqual([[], false, false])
      expect(stateProblem()).toBe(problem)
    })
  })

  test('is whole, or as it was before', () => {
    check(
      fc.jsonValue(),
      value => {
        writeStateFile(labPath('kept.json'), value)
        expect(readStateFile(labPath('kept.json'), z.unknown())).toEqual(JSON.parse(JSON.stringify(value)))
      },
      30,
    )
  })

  test('of the kernel, whatever the probe printed', () => {
    check(
      fc.oneof(
        fc.string(),
        fc
          .array(fc.tuple(fc.constantFrom('btf', 'kernel', 'lsm', 'lockdown', 'config'), fc.string()))
          .map(pairs => pairs.map(pair => pair.join('=')).join('\n')),
      ),
      text => {
        const { source, why } = judgeKernel(parseProbe(text, false))
        expect(['live', 'replay']).toContain(source)
        expect(why).not.toBe('')
      },
    )
  })
})

describe('an error', () => {
  test('is read back from what was printed of it', () => {
    const words = fc
      .string({ minLength: 1 })
      .filter(text => text.trim() !== '' && new LabError({ found: text, expected: 'x', next: 'x' }).found !== '')
    check(fc.tuple(words, words, words), ([found, expected, next]) => {
      const error = new LabError({ found, expected, next })
      expect(LabError.parse(error.lines().join('\n'))).toMatchObject({
        found: error.found,
        expected: error.expected,
        next: error.next,
      })
    })
  })
})
