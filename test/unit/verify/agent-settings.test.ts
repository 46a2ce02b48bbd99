import { describe, expect, it } from 'vitest'
import { judgeAgent, redact } from '../../../scripts/verify/agent-settings.ts'
import { type AgentView, parseEvent } from '../../../scripts/verify/agent-view.ts'
import type { VerifyCheck } from '../../../scripts/verify/verify-check.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { tetragonValues } from '../../../stacks/monitoring/tetragon.ts'
import { recordedLines } from '../../pipeline/support/feed.ts'

type Tetragon = Settings['tetragon']
const settingsOf = (tetragon: object = {}): Tetragon => parseSettings({ tetragon }).tetragon

/** Returns the ConfigMap that the chart makes from its values, option by option as in its template. */
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

/** Returns an agent with these settings and the events of the recording. */
const fakeAgent = (tetragon: Tetragon, overrides: Partial<AgentView> = {}): AgentView => ({
  config: async () => configOf(tetragon),
  events: async () => recordedLines(300).map(parseEvent),
  eventsInLastMinute: async () => 700,
  argumentsOf: async (...args) => redact(args.join(' '), tetragon.redactionFilters),
  hooks: async () => (tetragon.runtimeHooks ? { ready: 1, wanted: 1, containers: 12 } : undefined),
  pins: async () => ['sensitive-file-access', '__base__'],
  ...overrides,
})
const judged = (tetragon: Tetragon, overrides?: Partial<AgentView>): Promise<VerifyCheck[]> =>
  judgeAgent(tetragon, fakeAgent(tetragon, overrides))
const failing = (checks: VerifyCheck[]): string[] =>
  checks.filter(({ result }) => result === 'fail').map(({ title, found }) => `${title}: ${found}`)

describe('verifyAgentSettings', () => {
  it('reports every other check when Loki does not respond', async () => {
    const silent = new LabError({ found: 'Grafana is not responding', next: './lab status' })
    const all = await judged(settingsOf())
    const checks = await judged(settingsOf(), { events: async () => Promise.reject(silent) })
    expect(failing(checks)).toEqual(['effects of the settings on events: Grafana is not responding'])
    expect(checks.filter(({ result }) => result === 'ok').length).toBeGreaterThan(all.length / 2)
  })

  it('passes for an agent with these settings, whose events show them', async () => {
    const checks = await judged(settingsOf())
    expect(failing(checks)).toEqual([])
    expect(checks.filter(({ result }) => result === 'ok').length).toBeGreaterThan(10)
    // Every passed check has a command that shows the same, and every skipped check gives a reason.
    for (const { result, proof, found } of checks) expect(result === 'skip' ? found : proof).toMatch(/.{10}/)
  })

  it.each([
    [
      'enableProcessCred',
      { enableProcessCred: false },
      /enableProcessCred has reached the agent: enable-process-cred: true/,
    ],
    ['enableProcessNs', { enableProcessNs: false }, /enableProcessNs has reached/],
    ['exportRateLimit', { exportRateLimit: 6000 }, /exportRateLimit has reached .*: export-rate-limit: -1/],
    [
      'exportFile.maxSizeMB',
      { exportFile: { maxSizeMB: 50 } },
      /exportFile.maxSizeMB has reached .*: export-file-max-size-mb: 10/,
    ],
    [
      'exportFile.maxBackups',
      { exportFile: { maxBackups: 9 } },
      /exportFile.maxBackups has reached .*: export-file-max-backups: 5/,
    ],
    ['exportAllowList', { exportAllowList: [{ event_set: ['PROCESS_EXEC'] }] }, /exportAllowList has reached/],
    ['exportDenyList', { exportDenyList: [{ namespace: ['application'] }] }, /exportDenyList has reached/],
    ['redactionFilters', { redactionFilters: [] }, /redactionFilters has reached/],
    ['keepSensorsOnExit', { keepSensorsOnExit: true }, /keepSensorsOnExit has reached .*: keep-sensors-on-exit: false/],
    ['runtimeHooks', { runtimeHooks: true }, /the hook in the container runtime: not installed/],
  ])('fails when the agent still has the old value of %s', async (_, change, missing) => {
    const old = fakeAgent(settingsOf())
    expect(failing(await judgeAgent(settingsOf(change), old)).join('\n')).toMatch(missing)
  })

  it.each([
    ['credentials that are switched off', { enableProcessCred: false }, {}, /credentials in events: in \d+ of/],
    ['Linux namespaces that are switched off', { enableProcessNs: false }, {}, /Linux namespaces in events: in \d+ of/],
    [
      'an event of a denied namespace',
      { exportDenyList: [{ namespace: ['application'] }] },
      {},
      /exportDenyList excludes: a process_\w+ of namespace application/,
    ],
    [
      'an event of a type that is not allowed',
      { exportAllowList: [{ event_set: ['PROCESS_EXEC'] }] },
      {},
      /exportAllowList includes: a process_(exit|kprobe)/,
    ],
    ['more events than the limit', { exportRateLimit: 200 }, {}, /exportRateLimit: 700 in the last minute/],
    [
      'a secret in Loki',
      {},
      { argumentsOf: async (...args: string[]) => args.join(' ') },
      /secrets in arguments are redacted: --password open-sesame/,
    ],
    ['a test event that does not arrive', {}, { argumentsOf: async () => undefined }, /did not arrive/],
    [
      'a hook that is not ready',
      { runtimeHooks: true },
      { hooks: async () => ({ ready: 0, wanted: 1, containers: 12 }) },
      /0 of 1 ready/,
    ],
    [
      'a hook that is switched off',
      {},
      { hooks: async () => ({ ready: 1, wanted: 1, containers: 0 }) },
      /container runtime: running/,
    ],
    [
      'persistent enforcement without pinned programs',
      { keepSensorsOnExit: true },
      { pins: async () => [] },
      /continues without the agent: 0 pinned/,
    ],
    [
      'persistent enforcement that the agent would remove',
      { keepSensorsOnExit: true },
      { config: async () => ({ ...configOf(settingsOf({ keepSensorsOnExit: true })), 'release-pinned-bpf': 'true' }) },
      /release-pinned-bpf: true/,
    ],
  ])('fails exactly one check for %s', async (_, change, overrides: Partial<AgentView>, message) => {
    const found = failing(await judged(settingsOf(change), overrides))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(message)
  })

  it('skips a setting whose effect nothing shows, with the reason', async () => {
    const skipped = async (change: object, overrides?: Partial<AgentView>) =>
      (await judged(settingsOf(change), overrides)).filter(({ result }) => result === 'skip').map(({ found }) => found)
    expect(await skipped({})).toEqual([
      expect.stringContaining('no limit is set'),
      expect.stringContaining('keepSensorsOnExit is false'),
    ])
    const noContainers = { hooks: async () => ({ ready: 1, wanted: 1, containers: 0 }) }
    expect(await skipped({ runtimeHooks: true }, noContainers)).toContainEqual(expect.stringContaining('no container'))
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

describe('redact', () => {
  const filters = settingsOf().redactionFilters
  it.each([
    ['--password open-sesame', '--password *****'],
    ['--password=a --token=b', '--password=***** --token=*****'],
    ['-p open-sesame', '-p open-sesame'],
    ['--password a --password b', '--password ***** --password *****'],
  ])('%s becomes %s', (text, expected) => {
    expect(redact(text, filters)).toBe(expected)
  })
})

it('parseEvent reads an event of a process, and a line without a process', () => {
  const [line] = recordedLines(1)
  expect(parseEvent(line!)).toMatchObject({ namespace: 'monitoring', credentials: true, namespaces: true })
  expect(parseEvent('{"rate_limit_info":{"number_of_dropped_process_events":"1"},"node_name":"a","time":"b"}')).toEqual(
    {
      type: 'rate_limit_info',
      namespace: '',
      credentials: false,
      namespaces: false,
    },
  )
})
