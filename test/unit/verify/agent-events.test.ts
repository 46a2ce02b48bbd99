import { describe, expect, it } from 'vitest'
import { type AgentView, judgeAgent, redacted, seen } from '../../../scripts/verify/agent-events.ts'
import type { VerifyCheck } from '../../../scripts/verify/verify-check.ts'
import { readLock } from '../../../shared/lock.ts'
import { parseSettings, type Settings } from '../../../shared/settings/schema.ts'
import { tetragonValues } from '../../../stacks/monitoring/tetragon.ts'
import { recordedLines } from '../../pipeline/support/feed.ts'

type Tetragon = Settings['tetragon']
const settingsOf = (tetragon: object = {}): Tetragon => parseSettings({ tetragon }).tetragon

/** The ConfigMap that the chart makes of its values: option by option as in its template. */
function configOf(tetragon: Tetragon): Record<string, string> {
  const values = tetragonValues({ settings: parseSettings({ tetragon }), lock: readLock(''), source: 'live' })
  const given = values.tetragon as Record<string, unknown>
  return {
    'enable-process-cred': String(given.enableProcessCred),
    'enable-process-ns': String(given.enableProcessNs),
    'export-rate-limit': String(given.exportRateLimit),
    'export-file-max-size-mb': String(given.exportFileMaxSizeMB),
    'export-file-max-backups': String(given.exportFileMaxBackups),
    'export-allowlist': String(given.exportAllowList),
    'export-denylist': String(given.exportDenyList),
    'redaction-filters': String(given.redactionFilters),
    ...(given.enableKeepSensorsOnExit ? { 'keep-sensors-on-exit': 'true', 'release-pinned-bpf': 'false' } : {}),
  }
}

/** A fake agent: it was given what the settings say and shows the events of the recording, unless told otherwise. */
const fakeAgent = (tetragon: Tetragon, otherwise: Partial<AgentView> = {}): AgentView => ({
  config: async () => configOf(tetragon),
  events: async () => recordedLines(300).map(seen),
  lastMinute: async () => 700,
  argumentsOf: async (...args) => redacted(args.join(' '), tetragon.redactionFilters),
  hooks: async () => (tetragon.runtimeHooks ? { ready: 1, wanted: 1, containers: 12 } : undefined),
  pins: async () => ['sensitive-file-access', '__base__'],
  ...otherwise,
})
const judged = (tetragon: Tetragon, otherwise?: Partial<AgentView>): Promise<VerifyCheck[]> =>
  judgeAgent(tetragon, fakeAgent(tetragon, otherwise))
const failing = (checks: VerifyCheck[]): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ title, found }) => `${title}: ${found}`)

describe('the settings of the agent', () => {
  it('have taken effect where it was given them and its events show them', async () => {
    const checks = await judged(settingsOf())
    expect(failing(checks)).toEqual([])
    expect(checks.filter(({ result }) => result === 'ok').length).toBeGreaterThan(10)
    // What is said to be so can be seen by hand; what is not looked at says why.
    for (const { result, proof, found } of checks) expect(result === 'skip' ? found : proof).toMatch(/.{10}/)
  })

  it.each([
    [
      'enableProcessCred',
      { enableProcessCred: false },
      /enableProcessCred was given to the agent: enable-process-cred: true/,
    ],
    ['enableProcessNs', { enableProcessNs: false }, /enableProcessNs was given/],
    ['exportRateLimit', { exportRateLimit: 6000 }, /exportRateLimit was given .*: export-rate-limit: -1/],
    [
      'exportFile.maxSizeMB',
      { exportFile: { maxSizeMB: 50 } },
      /exportFile.maxSizeMB was given .*: export-file-max-size-mb: 10/,
    ],
    [
      'exportFile.maxBackups',
      { exportFile: { maxBackups: 9 } },
      /exportFile.maxBackups was given .*: export-file-max-backups: 5/,
    ],
    ['exportAllowList', { exportAllowList: [{ event_set: ['PROCESS_EXEC'] }] }, /exportAllowList was given/],
    ['exportDenyList', { exportDenyList: [{ namespace: ['application'] }] }, /exportDenyList was given/],
    ['redactionFilters', { redactionFilters: [] }, /redactionFilters was given/],
    ['keepSensorsOnExit', { keepSensorsOnExit: true }, /keepSensorsOnExit was given .*: keep-sensors-on-exit: false/],
    ['runtimeHooks', { runtimeHooks: true }, /the hook in the container runtime: not there/],
  ])('%s is missed when the agent still has the old one', async (_, change, missing) => {
    const old = fakeAgent(settingsOf())
    expect(failing(await judgeAgent(settingsOf(change), old)).join('\n')).toMatch(missing)
  })

  it.each([
    ['credentials that should not be there', { enableProcessCred: false }, {}, /credentials in events: in \d+ of/],
    ['namespaces that should not be there', { enableProcessNs: false }, {}, /Linux namespaces in events: in \d+ of/],
    [
      'an event of a namespace that is denied',
      { exportDenyList: [{ namespace: ['application'] }] },
      {},
      /exportDenyList names stays out: a process_\w+ of namespace application/,
    ],
    [
      'an event of a kind that is not allowed',
      { exportAllowList: [{ event_set: ['PROCESS_EXEC'] }] },
      {},
      /exportAllowList names comes through: a process_(exit|kprobe)/,
    ],
    ['more events than the limit', { exportRateLimit: 200 }, {}, /exportRateLimit: 700 in the last minute/],
    [
      'a secret that arrives',
      {},
      { argumentsOf: async (...args: string[]) => args.join(' ') },
      /secrets in arguments never reach the file: --password open-sesame/,
    ],
    ['no event of what was tried', {}, { argumentsOf: async () => undefined }, /did not arrive/],
    [
      'a hook that is not ready',
      { runtimeHooks: true },
      { hooks: async () => ({ ready: 0, wanted: 1, containers: 12 }) },
      /0 of 1 ready/,
    ],
    [
      'a hook that nobody asked for',
      {},
      { hooks: async () => ({ ready: 1, wanted: 1, containers: 0 }) },
      /container runtime: runs/,
    ],
    [
      'that enforcement goes on, with nothing in the kernel',
      { keepSensorsOnExit: true },
      { pins: async () => [] },
      /outlives the agent: 0 pinned/,
    ],
    [
      'that enforcement goes on, though it is told to take it back',
      { keepSensorsOnExit: true },
      { config: async () => ({ ...configOf(settingsOf({ keepSensorsOnExit: true })), 'release-pinned-bpf': 'true' }) },
      /release-pinned-bpf: true/,
    ],
  ])('are not believed: %s', async (_, change, otherwise: Partial<AgentView>, says) => {
    const found = failing(await judged(settingsOf(change), otherwise))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(says)
  })

  it('are taken on trust where nothing shows them, and say so', async () => {
    const skipped = async (change: object, otherwise?: Partial<AgentView>) =>
      (await judged(settingsOf(change), otherwise)).filter(({ result }) => result === 'skip').map(({ found }) => found)
    expect(await skipped({})).toEqual([
      expect.stringContaining('no limit is set'),
      expect.stringContaining('keepSensorsOnExit is false'),
    ])
    const nobody = { hooks: async () => ({ ready: 1, wanted: 1, containers: 0 }) }
    expect(await skipped({ runtimeHooks: true }, nobody)).toContainEqual(expect.stringContaining('no container'))
    expect(await skipped({}, { events: async () => [] })).toContainEqual(
      expect.stringContaining('no event has arrived'),
    )
    expect(await skipped({ redactionFilters: [] })).toContainEqual(expect.stringContaining('do not cover'))
    expect(await skipped({ redactionFilters: [{ redact: ['(?i)token=(\\S+)'] }] })).toContainEqual(
      expect.stringContaining('do not cover'),
    )
    expect(await skipped({ exportAllowList: [{ pod_regex: ['^frontend'] }] })).toContainEqual(
      expect.stringContaining('filters by more than'),
    )
  })
})

describe('redaction', () => {
  const filters = settingsOf().redactionFilters
  it.each([
    ['--password open-sesame', '--password *****'],
    ['--password=a --token=b', '--password=***** --token=*****'],
    ['-p open-sesame', '-p open-sesame'],
    ['--password a --password b', '--password ***** --password *****'],
  ])('of %s', (text, wanted) => {
    expect(redacted(text, filters)).toBe(wanted)
  })
})

it('an event shows what it carries', () => {
  const [line] = recordedLines(1)
  expect(seen(line!)).toMatchObject({ namespace: 'monitoring', credentials: true, namespaces: true })
  expect(seen('{"rate_limit_info":{"number_of_dropped_process_events":"1"},"node_name":"a","time":"b"}')).toEqual({
    type: 'rate_limit_info',
    namespace: '',
    credentials: false,
    namespaces: false,
  })
})
