import { randomBytes } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Settings } from '../../shared/settings/schema.ts'
import type { Context } from '../context/context.ts'
import type { GrafanaClient } from '../telemetry/grafana-client.ts'
import { runningSource } from '../tetragon/running-source.ts'
import { type AgentEvent, type AgentView, containersFromHooks, type HookStatus, viewAgent } from './agent-view.ts'
import { checksOf, eachCheck, type VerifyCheck, withProof } from './verify-check.ts'

const { ok, fail, skip } = checksOf('agent')

const rateTitle = 'no more events than tetragon.exportRateLimit'
const redactionTitle = 'secrets in arguments are redacted'
const hookTitle = 'the hook in the container runtime'
const pinsTitle = 'enforcement continues without the agent'

const noVisitor = 'guestbook.enabled is false: there is no visitor to start the test program'

type TetragonSettings = Settings['tetragon']

/**
 * Checks that every `tetragon` setting has reached the agent, and has an effect on its events where events show one.
 */
export async function verifyAgentSettings(context: Context, grafana: GrafanaClient): Promise<VerifyCheck[]> {
  const source = await runningSource(context)
  if (source !== 'live') return [skip('settings of Tetragon', 'no agent is running: the lab replays a recording')]
  const { tetragon, guestbook } = context.settings
  return judgeAgent(tetragon, viewAgent(context, grafana), { hasVisitor: guestbook.enabled })
}

/** Checks the settings against any agent. */
export async function judgeAgent(
  settings: TetragonSettings,
  agent: AgentView,
  { hasVisitor = true }: { hasVisitor?: boolean } = {},
): Promise<VerifyCheck[]> {
  return eachCheck('agent', [
    ['settings in the configuration of the agent', async () => judgeConfig(settings, await agent.config())],
    ['effects of the settings on events', async () => judgeEvents(settings, await agent.events())],
    [rateTitle, () => judgeRate(settings, agent)],
    [redactionTitle, () => (hasVisitor ? judgeRedaction(settings, agent) : skip(redactionTitle, noVisitor))],
    [hookTitle, async () => judgeHooks(settings, await agent.hooks())],
    [pinsTitle, async () => judgePins(settings, await agent.config(), await agent.pins())],
  ])
}

// --- The agent's configuration

/** Each setting and the option of the agent that it becomes. */
const options: [setting: string, option: string, expected: (settings: TetragonSettings) => unknown][] = [
  ['enableProcessCred', 'enable-process-cred', settings => settings.enableProcessCred],
  ['enableProcessNs', 'enable-process-ns', settings => settings.enableProcessNs],
  ['exportRateLimit', 'export-rate-limit', settings => settings.exportRateLimit],
  ['exportFile.maxSizeMB', 'export-file-max-size-mb', settings => settings.exportFile.maxSizeMB],
  ['exportFile.maxBackups', 'export-file-max-backups', settings => settings.exportFile.maxBackups],
  ['exportAllowList', 'export-allowlist', settings => settings.exportAllowList],
  ['exportDenyList', 'export-denylist', settings => settings.exportDenyList],
  ['redactionFilters', 'redaction-filters', settings => settings.redactionFilters],
  ['keepSensorsOnExit', 'keep-sensors-on-exit', settings => settings.keepSensorsOnExit],
]

function judgeConfig(settings: TetragonSettings, config: Record<string, string>): VerifyCheck[] {
  return options.map(([setting, option, expectedOf]) => {
    const title = `tetragon.${setting} has reached the agent`
    const expected = expectedOf(settings)
    const found = Array.isArray(expected)
      ? jsonLines(config[option])
      : (config[option] ?? defaults[option] ?? 'not set')
    const show = (value: unknown) => `${option}: ${Array.isArray(value) ? JSON.stringify(value) : value}`
    return withProof(
      './lab kubectl -n monitoring get configmap tetragon-config -o yaml',
      isDeepStrictEqual(Array.isArray(expected) ? expected : String(expected), found)
        ? ok(title, show(found))
        : fail(title, { found: show(found), expected: show(expected), next: './lab up' }),
    )
  })
}

/** Options that the chart leaves out when they have this value. */
const defaults: Record<string, string> = { 'keep-sensors-on-exit': 'false' }

const jsonLines = (text = ''): unknown[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))

// --- What events show

const oneEvent = (filter: string): string =>
  `./lab query logql '{service_name="tetragon"} ${filter}' --limit 1 --pretty`
const countBy = (label: string): string =>
  `./lab query logql 'sum by (${label}) (count_over_time({service_name="tetragon"}[15m]))'`

function judgeEvents(settings: TetragonSettings, events: AgentEvent[]): VerifyCheck[] {
  const processes = events.filter(({ type }) => type.startsWith('process_'))
  if (processes.length === 0)
    return [skip('effects of the settings on events', 'no event has arrived since the agent started')]
  const { enableProcessCred, enableProcessNs } = settings
  return [
    withProof(
      oneEvent('|= "process_credentials"'),
      judgeField(
        'credentials in events',
        enableProcessCred,
        processes.map(event => event.credentials),
      ),
    ),
    withProof(
      oneEvent('|= "pid_for_children"'),
      judgeField(
        'Linux namespaces in events',
        enableProcessNs,
        processes.map(event => event.namespaces),
      ),
    ),
    withProof(countBy('k8s_namespace_name'), judgeDenyList(settings, processes)),
    withProof(countBy('tetragon_event_type'), judgeAllowList(settings, processes)),
  ]
}

/** @param present for each event, whether it has the field. */
function judgeField(title: string, enabled: boolean, present: boolean[]): VerifyCheck {
  const count = present.filter(Boolean).length
  const found = `in ${count} of ${present.length}`
  if (enabled ? count > 0 : count === 0) return ok(title, found)
  return fail(title, { found, expected: enabled ? 'in some' : 'in none', next: './lab logs tetragon' })
}

type ExportFilter = TetragonSettings['exportDenyList'][number]

/** Keys of an export filter that a single event shows the effect of. */
const visibleKeys = ['event_set', 'namespace']
const isVisible = (filter: ExportFilter): boolean => Object.keys(filter).every(key => visibleKeys.includes(key))
const matches = (filter: ExportFilter, { type, namespace }: AgentEvent): boolean =>
  (!filter.event_set || (filter.event_set as string[]).includes(type.toUpperCase())) &&
  (!filter.namespace || (filter.namespace as string[]).includes(namespace))

function judgeDenyList({ exportDenyList }: TetragonSettings, events: AgentEvent[]): VerifyCheck {
  const title = 'no event that tetragon.exportDenyList excludes'
  const filters = exportDenyList.filter(isVisible)
  if (filters.length === 0) return skip(title, 'it has no filter whose effect events show')
  const denied = events.find(event => filters.some(filter => matches(filter, event)))
  return denied ? unexpectedEvent(title, denied) : ok(title, `none of ${events.length} events`)
}

function judgeAllowList({ exportAllowList }: TetragonSettings, events: AgentEvent[]): VerifyCheck {
  const title = 'only events that tetragon.exportAllowList includes'
  if (exportAllowList.length === 0) return skip(title, 'it is empty: every event is allowed')
  if (!exportAllowList.every(isVisible))
    return skip(title, `it filters by more than ${visibleKeys.join(' and ')}, which events do not show`)
  const denied = events.find(event => !exportAllowList.some(filter => matches(filter, event)))
  return denied ? unexpectedEvent(title, denied) : ok(title, `all of ${events.length} events`)
}

const unexpectedEvent = (title: string, { type, namespace }: AgentEvent): VerifyCheck =>
  fail(title, {
    found: `a ${type} of ${namespace ? `namespace ${namespace}` : 'the node itself'} in Loki`,
    next: './lab logs tetragon',
  })

// --- Rate limit and redaction

async function judgeRate({ exportRateLimit }: TetragonSettings, agent: AgentView): Promise<VerifyCheck> {
  const title = rateTitle
  if (exportRateLimit < 0) return skip(title, 'it is -1: no limit is set')
  const count = await agent.eventsInLastMinute()
  // What was left of the minute before comes on top, and one line a minute reports how many events were dropped.
  const most = 2 * exportRateLimit + 1
  const found = `${count} in the last minute`
  return withProof(
    `./lab query logql 'sum(count_over_time({service_name="tetragon"}[1m]))'`,
    count <= most ? ok(title, found) : fail(title, { found, expected: `at most ${most}`, next: './lab up' }),
  )
}

async function judgeRedaction({ redactionFilters }: TetragonSettings, agent: AgentView): Promise<VerifyCheck> {
  const title = redactionTitle
  const marker = `lab-verify-${randomBytes(4).toString('hex')}`
  const args = ['--password', 'open-sesame', marker]
  const expected = redact(args.join(' '), redactionFilters)
  if (expected === undefined || expected.includes('open-sesame'))
    return skip(title, 'tetragon.redactionFilters do not cover the test argument `--password open-sesame`')
  const found = await agent.argumentsOf(...args)
  return withProof(
    `./lab kubectl -n application exec deploy/visitor -- true --password open-sesame; ./lab query logql '{service_name="tetragon"} | process_arguments=~"--password.*"' --limit 1`,
    found === expected
      ? ok(title, found)
      : fail(title, {
          found: found ?? 'the event of the test program did not arrive',
          expected,
          next: found === undefined ? './lab logs shipper' : './lab logs tetragon',
        }),
  )
}

/**
 * Applies the redaction filters that are not limited to some programs: the groups of each expression become `*****`.
 * @returns undefined when JavaScript cannot parse an expression.
 */
export function redact(text: string, filters: TetragonSettings['redactionFilters']): string | undefined {
  const expressions = filters
    .filter(filter => !filter.binary_regex)
    .flatMap(filter => (filter.redact as string[] | undefined) ?? [])
  try {
    return expressions.reduce((before, expression) => {
      const groups = [...before.matchAll(new RegExp(expression, 'dg'))].flatMap(({ indices }) =>
        indices!.slice(1).filter(group => group !== undefined),
      )
      // From the end, so that the positions before stay valid.
      return groups.reduceRight((after, [start, end]) => `${after.slice(0, start)}*****${after.slice(end)}`, before)
    }, text)
  } catch {
    return undefined
  }
}

// --- Runtime hooks and persistent enforcement

function judgeHooks({ runtimeHooks }: TetragonSettings, hooks: HookStatus | undefined): VerifyCheck[] {
  const title = hookTitle
  const showHook = './lab kubectl -n monitoring get daemonset tetragon-rthooks'
  if (!runtimeHooks) {
    const check = hooks
      ? fail(title, { found: 'running', expected: 'none: tetragon.runtimeHooks is false', next: './lab up' })
      : ok(title, 'none, as configured')
    return [withProof(showHook, check)]
  }
  const found = hooks ? `${hooks.ready} of ${hooks.wanted} ready` : 'not installed'
  const next = './lab kubectl -n monitoring describe daemonset tetragon-rthooks'
  const reports = 'the agent learns of containers before they start'
  return [
    withProof(
      showHook,
      hooks && hooks.ready === hooks.wanted && hooks.wanted > 0
        ? ok(title, found)
        : fail(title, { found, expected: 'one on each node', next }),
    ),
    withProof(
      `./lab query promql '${containersFromHooks}'`,
      hooks && hooks.containers > 0
        ? ok(reports, `${hooks.containers} since it started`)
        : skip(reports, 'no container has started since the agent did: try `kubectl rollout restart`'),
    ),
  ]
}

/** BPF programs are pinned with either setting. To keep them, the agent needs two options. */
function judgePins(
  { keepSensorsOnExit }: TetragonSettings,
  config: Record<string, string>,
  pins: string[],
): VerifyCheck {
  const title = pinsTitle
  if (!keepSensorsOnExit)
    return skip(title, 'tetragon.keepSensorsOnExit is false: the agent removes its BPF programs when it stops')
  const release = config['release-pinned-bpf'] ?? 'true'
  const found = `${pins.length} pinned, release-pinned-bpf: ${release}`
  return withProof(
    './lab kubectl -n monitoring exec ds/tetragon -c tetragon -- ls /sys/fs/bpf/tetragon',
    pins.length > 0 && release === 'false'
      ? ok(title, found)
      : fail(title, { found, expected: 'some pinned, and release-pinned-bpf: false', next: './lab up' }),
  )
}
