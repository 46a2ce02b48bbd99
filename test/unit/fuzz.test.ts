import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { z } from 'zod'
import { isRecorded, kubeconfigContext } from '../../scripts/cluster/cluster-records.ts'
import { parseCandidates } from '../../scripts/exercise/check/policy-check.ts'
import { parseExercise } from '../../scripts/exercise/definition/exercises.ts'
import { readProgress } from '../../scripts/exercise/session/progress.ts'
import { progressReport } from '../../scripts/exercise/view/progress-report.ts'
import { parseProbe } from '../../scripts/kernel/kernel-facts.ts'
import { kernelVerdict } from '../../scripts/kernel/verdict.ts'
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
import { newFolder } from './support/folders.ts'
import { damagedBytes, mutatedValue } from './support/mutations.ts'

// For any file content, a reader returns a value or throws a LabError, and it finishes.
// The seed is fixed, so that runs are reproducible; fast-check prints it with a failure. To search further:
//   FUZZ_SEED=7 FUZZ_TIMES=50 npx vitest run test/unit/fuzz.test.ts --testTimeout 600000

const times = Number(process.env.FUZZ_TIMES ?? 1)
fc.configureGlobal({ seed: Number(process.env.FUZZ_SEED ?? 6), numRuns: 80 * times })

const folder = newFolder()
vi.stubEnv('LAB_DIR', join(folder, '.lab'))

/** Returns what a reader returns; undefined if it throws a LabError. */
function readOrRefuse<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    return expectLabError(error)
  }
}

function expectLabError(error: unknown): undefined {
  if (!(error instanceof LabError)) throw error
  expect(
    error.lines().filter(line => /[\p{Cc}]/u.test(line) || line.length > 600 || /\[object|undefined|NaN/.test(line)),
  ).toEqual([])
  for (const part of [error.found, error.next]) expect(part).not.toBe('')
}

const read = (file: string): Buffer => readFileSync(join(projectDir, file))
const files = (pattern: string): string[] => globSync(pattern, { cwd: projectDir }).sort()
const forAll = <T>(inputs: fc.Arbitrary<T>, holds: (value: T) => unknown, numRuns = 80): void =>
  fc.assert(
    fc.property(inputs, value => void holds(value)),
    { numRuns: numRuns * times },
  )

describe('settings', () => {
  const whole = JSON.parse(JSON.stringify(parseSettings({}))) as unknown

  test('parse to the same settings again', () => {
    forAll(fc.oneof(mutatedValue(whole), fc.jsonValue()), given => {
      const settings = readOrRefuse(() => parseSettings(given))
      if (settings) expect(parseSettings(settings)).toEqual(settings)
    })
  })

  test('from the configuration of a stack parse, or throw a LabError', () => {
    forAll(
      fc.dictionary(
        fc.oneof(fc.string(), fc.constantFrom('tetragon-lab:traffic', 'tetragon-lab:', ':')),
        fc.oneof(fc.string(), fc.json()),
      ),
      config => {
        readOrRefuse(() => settingsFromConfig(config))
      },
    )
  })

  test('from a damaged Pulumi.dev.yaml parse, or throw a LabError', () => {
    const file = join(folder, 'Pulumi.dev.yaml')
    const sections = Object.entries(whole as object).map(([name, value]) => [`tetragon-lab:${name}`, value])
    const text = Buffer.from(stringify({ encryptionsalt: 'v1:x', config: Object.fromEntries(sections) }))
    forAll(
      damagedBytes(text),
      bytes => {
        writeFileSync(file, bytes)
        readOrRefuse(() => parseSettings(readStackConfig(file)))
      },
      80,
    )
  })
})

describe('lock files', () => {
  const file = join(folder, 'lock.yaml')
  const given = read('lab.lock.yaml')
  const readContent = (content: string | Buffer, as: 'overlay' | 'base'): void => {
    writeFileSync(file, content)
    readOrRefuse(() => (as === 'overlay' ? readLock(file) : readLock('', file)))
  }

  test('with damaged bytes parse, or throw a LabError', () =>
    forAll(damagedBytes(given), bytes => readContent(bytes, 'base'), 50))
  test('with wrong values parse, or throw a LabError', () =>
    forAll(mutatedValue(parse(given.toString())), value => readContent(JSON.stringify(value), 'base'), 80))
  test('with wrong values in an overlay parse, or throw a LabError', () =>
    forAll(
      mutatedValue({ version: 1, charts: { loki: { version: '1', url: 'x' } }, tools: { kind: { version: '1' } } }),
      value => readContent(JSON.stringify(value), 'overlay'),
      25,
    ))
})

describe('exercises', () => {
  const all = files('labs/*/exercise.yaml')

  test('with damaged bytes parse, or throw a LabError', () => {
    forAll(
      fc.constantFrom(...all).chain(file => damagedBytes(read(file))),
      bytes => readOrRefuse(() => parseExercise(bytes.toString(), '01-x')),
      60,
    )
  })

  test('with wrong values parse, or throw a LabError', () => {
    const values = all.map(file => parse(read(file).toString()))
    forAll(
      fc.constantFrom(...values).chain(mutatedValue),
      value => readOrRefuse(() => parseExercise(JSON.stringify(value), '01-x')),
      100,
    )
  })
})

describe('policies', () => {
  const all = files('policies/*.yaml')
  const lintAndParse = (text: string): void => {
    for (const { line, message, fix } of lintPolicy(text, 'x.yaml')) {
      expect(line).toBeGreaterThan(0)
      expect(message.length * fix.length).toBeGreaterThan(0)
    }
    parseCandidates(text, 'x.yaml')
    readOrRefuse(() => parsePolicy(text, 'x.yaml'))
  }

  test('with damaged bytes parse, or throw a LabError', () =>
    forAll(
      fc.constantFrom(...all).chain(file => damagedBytes(read(file))),
      bytes => lintAndParse(bytes.toString()),
      60,
    ))
  test('with wrong values parse, or throw a LabError', () => {
    const values = all.map(file => parse(read(file).toString()))
    forAll(fc.constantFrom(...values).chain(mutatedValue), value => lintAndParse(JSON.stringify(value)), 120)
  })
  test('of any text can be linted', () =>
    forAll(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map(value => stringify(value)),
      ),
      lintAndParse,
    ))
})

describe('recordings', () => {
  const recording = 'stacks/monitoring/replay/recordings/guestbook'
  const lines = (file: string, count: number): Buffer =>
    Buffer.from(
      zstdDecompressSync(read(`${recording}/${file}`))
        .toString()
        .split('\n')
        .slice(0, count)
        .join('\n'),
    )
  const events = lines('tetragon.log.zst', 12)
  const samples = lines('metrics.jsonl.zst', 2)
  const schedule = new Schedule(parseEvents(events), 12)
  const playOrRefuse = <T>(play: () => T): T | undefined => {
    try {
      return play()
    } catch (error) {
      if (!(error instanceof RecordingError)) throw error
      return undefined
    }
  }
  /** Does what the player does: shifts the times of lines, and computes metrics. */
  const play = (events: Buffer, samples: Buffer): void => {
    const list = parseEvents(events)
    const schedule = new Schedule(list, 12)
    for (const { line } of list) shiftTimestamps(line.toString(), time => schedule.toPlayedTime(time, 3, 1.7e12))
    const metrics = new Metrics(parseSamples(samples), schedule)
    for (const now of [0, 1.7e12, 1.7e12 + schedule.roundMs * 2.5])
      metrics.text({ now, epoch: 1.7e12, startedAt: 1.7e12 })
  }

  test('with damaged events play, or throw a RecordingError', () =>
    forAll(damagedBytes(events), bytes => playOrRefuse(() => play(bytes, samples)), 60))
  test('with damaged samples play, or throw a RecordingError', () =>
    forAll(damagedBytes(samples), bytes => playOrRefuse(() => play(events, bytes)), 30))
  test('with wrong values parse, or throw a RecordingError', () => {
    const first = JSON.parse(events.toString().split('\n')[0]!)
    forAll(mutatedValue(first), value => playOrRefuse(() => parseEvents(Buffer.from(`${JSON.stringify(value)}\n`))))
  })

  test('in damaged files parse, or throw a RecordingError', () => {
    const put = (name: string, bytes: Buffer): void => writeFileSync(join(folder, name), bytes)
    put('metrics.jsonl.zst', zstdCompressSync(samples))
    forAll(
      damagedBytes(zstdCompressSync(events)),
      bytes => {
        put('tetragon.log.zst', bytes)
        playOrRefuse(() => readRecording(folder, 12))
      },
      60,
    )
  })

  test('resume from any saved state', () => {
    writeFileSync(join(folder, 'tetragon.log.zst'), zstdCompressSync(events))
    writeFileSync(join(folder, 'metrics.jsonl.zst'), zstdCompressSync(samples))
    const exportFile = join(folder, 'tetragon.log')
    const state = { epoch: Date.now() - 10 * schedule.roundMs, length: schedule.roundMs, startedAt: Date.now() }
    forAll(
      fc.oneof(mutatedValue(state), fc.record({ epoch: fc.double(), length: fc.double(), startedAt: fc.double() })),
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

  test('keep times unchanged when they are parsed and formatted', () => {
    const instants = fc.bigInt({ min: -62_135_596_800_000_000_000n, max: 253_402_300_799_999_999_999n })
    forAll(instants, ns => expect(parseTime(formatTime(ns))).toBe(ns))
    for (const line of events.toString().split('\n')) expect(shiftTimestamps(line, ns => ns)).toBe(line)
  })
})

describe('a file in .lab', () => {
  const write = (name: string, content: Buffer | string): void => writeFileSync(labPath(...name.split('/')), content)
  /** Generates content with damaged bytes, wrong values, or anything else. */
  const anyContent = (value: unknown): fc.Arbitrary<Buffer | string> =>
    fc.oneof(
      damagedBytes(Buffer.from(JSON.stringify(value))),
      mutatedValue(value).map(changed => JSON.stringify(changed)),
      fc.json(),
      fc.string(),
    )

  test('running.json never blocks a command', async () => {
    const running = { pid: 2 ** 30, action: 'up', since: new Date().toISOString(), boot: '' }
    await fc.assert(
      fc.asyncProperty(anyContent(running), async content => {
        write('running.json', content)
        // No process has a number this high.
        const done = await withLabLock('down', async () => 'in', 1).catch(expectLabError)
        if (done !== 'in')
          expect(readStateFile(labPath('running.json'), z.unknown())).toMatchObject({
            pid: expect.any(Number),
          })
        rmSync(labPath('running.json'), { force: true })
      }),
      { numRuns: 60 * times },
    )
  })

  test('cluster.json is read without an error', () =>
    forAll(anyContent({ name: 'lab' }), content => {
      write('cluster.json', content)
      isRecorded('lab')
    }))

  test('kubeconfig is read without an error', () => {
    const config = {
      'current-context': 'kind-lab',
      clusters: [{ cluster: { server: 'https://127.0.0.1:1' } }],
      users: [{ user: { 'client-key-data': 'x' } }],
    }
    forAll(anyContent(config), content => {
      write('kubeconfig', content)
      kubeconfigContext(labPath('kubeconfig'))
    })
    rmSync(labPath('kubeconfig'))
  })

  test('stood-up.json never makes an up look up to date', async () => {
    const record = {
      inputs: 'same',
      state: '',
      workloads: [{ key: 'monitoring/Deployment/grafana', release: 'grafana' }],
    }
    await fc.assert(
      fc.asyncProperty(anyContent(record), async content => {
        write('stood-up.json', content)
        const access = { settings: parseSettings({}), env: {} }
        expect((await compareWithLastUp(access, 'same')).result).not.toBe('same')
      }),
    )
  })

  test('remembered.json keeps every digest, or throws a LabError', async () => {
    forAll(anyContent({ 'https://x/y.tgz': 'a'.repeat(64) }), content => {
      write('remembered.json', content)
      readOrRefuse(() => rememberedDigest('https://x/y.tgz'))
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

  test('exercises.json can be reported, or throws a LabError', () => {
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
    forAll(anyContent(progress), content => {
      write('exercises.json', content)
      const read = readOrRefuse(readProgress)
      if (read)
        expect(
          progressReport(read, { ...(offer as object), features: {}, settings: parseSettings({}) } as never),
        ).toContain('# Lab report')
    })
    rmSync(labPath('exercises.json'))
  })

  test('Pulumi’s state is read as sound, or as empty', () => {
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
    forAll(anyContent(state), content => {
      write('state/.pulumi/stacks/tetragon-lab/dev.json', content)
      repairStore()
      stateDigest()
      const problem = stateProblem()
      if (problem) expect([stateResources(), stateHasNode(), hasPendingOperations()]).toEqual([[], false, false])
      clearState()
      expect([stateResources(), stateHasNode(), hasPendingOperations()]).toEqual([[], false, false])
      expect(stateProblem()).toBe(problem)
    })
  })

  test('is read back as it was written', () => {
    forAll(
      fc.jsonValue(),
      value => {
        writeStateFile(labPath('any.json'), value)
        expect(readStateFile(labPath('any.json'), z.unknown())).toEqual(JSON.parse(JSON.stringify(value)))
      },
      30,
    )
  })

  test('a kernel probe with any output leads to a decision', () => {
    forAll(
      fc.oneof(
        fc.string(),
        fc
          .array(fc.tuple(fc.constantFrom('btf', 'kernel', 'lsm', 'lockdown', 'config'), fc.string()))
          .map(pairs => pairs.map(pair => pair.join('=')).join('\n')),
      ),
      text => {
        const { source, why } = kernelVerdict(parseProbe(text, false), 'v1.7.0')
        expect(['live', 'replay']).toContain(source)
        expect(why).not.toBe('')
      },
    )
  })
})

describe('a LabError', () => {
  test('is parsed back from its printed lines', () => {
    const words = fc
      .string({ minLength: 1 })
      .filter(text => text.trim() !== '' && new LabError({ found: text, expected: 'x', next: 'x' }).found !== '')
    forAll(fc.tuple(words, words, words), ([found, expected, next]) => {
      const error = new LabError({ found, expected, next })
      expect(LabError.parse(error.lines().join('\n'))).toMatchObject({
        found: error.found,
        expected: error.expected,
        next: error.next,
      })
    })
  })
})
