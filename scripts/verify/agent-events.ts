import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { namespaces, releases } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { kubectl, kubectlJson } from '../cluster/kubectl.ts'
import type { Grafana } from '../telemetry/grafana.ts'
import { readLines } from '../telemetry/log-lines.ts'
import { runningSource } from '../tetragon/tetra.ts'
import { fail, ok, proven, skip, type VerifyCheck } from './verify-check.ts'

// What is set for Tetragon has taken effect: the agent was given it, and where it shows in events, the events since then show it.

type Tetragon = Settings['tetragon']

/** An event as Tetragon writes it, as far as the settings show in it. */
export interface SeenEvent {
  /** As in process_exec. */
  type: string
  namespace: string
  credentials: boolean
  namespaces: boolean
}

/** What can be seen of an agent from outside. */
export interface AgentView {
  /** What the agent was given, by the names of its own options. */
  config(): Promise<Record<string, string>>
  /** Events since it started. */
  events(): Promise<SeenEvent[]>
  /** How many events reached Loki in the last minute. */
  lastMinute(): Promise<number>
  /** Arguments, as they arrive in Loki, of a program that is started with these; undefined when none arrives. */
  argumentsOf(...args: string[]): Promise<string | undefined>
  /** Pods of the hook in the container runtime, and containers that it has told the agent of before they started. */
  hooks(): Promise<{ ready: number; wanted: number; containers: number } | undefined>
  /** Names of what the agent has pinned in the kernel, which outlives it where it is told to leave it. */
  pins(): Promise<string[]>
}

/** Every setting of the agent, held against what the agent has and does. Where a recording is replayed there is no agent: says so. */
export async function verifyAgentEvents({ tetragon }: Settings, grafana: Grafana): Promise<VerifyCheck[]> {
  const source = await runningSource()
  if (source !== 'live')
    return [skip('agent', 'settings of Tetragon', 'the events are a recording: there is no agent that could heed them')]
  return judgeAgent(tetragon, realAgent(grafana))
}

/** The same, of any agent. */
export async function judgeAgent(tetragon: Tetragon, agent: AgentView): Promise<VerifyCheck[]> {
  const [config, events, hooks, pins] = await Promise.all([agent.config(), agent.events(), agent.hooks(), agent.pins()])
  return [
    ...judgeConfig(tetragon, config),
    ...judgeEvents(tetragon, events),
    await judgeRate(tetragon, agent),
    await judgeRedaction(tetragon, agent),
    ...judgeHooks(tetragon, hooks),
    judgePins(tetragon, config, pins),
  ]
}

const given = './lab kubectl -n monitoring get configmap tetragon-config -o yaml'

function judgeConfig(tetragon: Tetragon, config: Record<string, string>): VerifyCheck[] {
  const parsed = (text = ''): unknown[] =>
    text
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line))
  const options: [setting: string, option: string, wanted: unknown, found: unknown][] = [
    ['enableProcessCred', 'enable-process-cred', String(tetragon.enableProcessCred), config['enable-process-cred']],
    ['enableProcessNs', 'enable-process-ns', String(tetragon.enableProcessNs), config['enable-process-ns']],
    ['exportRateLimit', 'export-rate-limit', String(tetragon.exportRateLimit), config['export-rate-limit']],
    [
      'exportFile.maxSizeMB',
      'export-file-max-size-mb',
      String(tetragon.exportFile.maxSizeMB),
      config['export-file-max-size-mb'],
    ],
    [
      'exportFile.maxBackups',
      'export-file-max-backups',
      String(tetragon.exportFile.maxBackups),
      config['export-file-max-backups'],
    ],
    ['exportAllowList', 'export-allowlist', tetragon.exportAllowList, parsed(config['export-allowlist'])],
    ['exportDenyList', 'export-denylist', tetragon.exportDenyList, parsed(config['export-denylist'])],
    ['redactionFilters', 'redaction-filters', tetragon.redactionFilters, parsed(config['redaction-filters'])],
    [
      'keepSensorsOnExit',
      'keep-sensors-on-exit',
      String(tetragon.keepSensorsOnExit),
      config['keep-sensors-on-exit'] ?? 'false',
    ],
  ]
  return options.map(([setting, option, wanted, found]) => {
    const title = `tetragon.${setting} was given to the agent`
    const says = (value: unknown) => `${option}: ${typeof value === 'string' ? value : JSON.stringify(value)}`
    return proven(
      given,
      isDeepStrictEqual(wanted, found)
        ? ok('agent', title, says(found))
        : fail('agent', title, says(found ?? 'not there'), says(wanted), './lab up'),
    )
  })
}

const someEvents = (query: string): string =>
  `./lab query logql '{service_name="tetragon"} ${query}' --limit 1 --pretty`

function judgeEvents(tetragon: Tetragon, events: SeenEvent[]): VerifyCheck[] {
  const processes = events.filter(({ type }) => type.startsWith('process_'))
  if (processes.length === 0)
    return [skip('agent', 'what events show of the settings', 'no event has arrived since the agent started')]
  const carried = (setting: keyof Tetragon, what: string, has: (event: SeenEvent) => boolean): VerifyCheck => {
    const title = `${what} in events`
    const count = processes.filter(has).length
    const found = `in ${count} of ${processes.length}`
    if (tetragon[setting] ? count > 0 : count === 0) return ok('agent', title, found)
    return fail('agent', title, found, tetragon[setting] ? 'in some' : 'in none', './lab logs tetragon')
  }
  return [
    proven(
      someEvents('|= "process_credentials"'),
      carried('enableProcessCred', 'credentials', event => event.credentials),
    ),
    proven(
      someEvents('|= "pid_for_children"'),
      carried('enableProcessNs', 'Linux namespaces', event => event.namespaces),
    ),
    proven(
      `./lab query logql 'sum by (k8s_namespace_name) (count_over_time({service_name="tetragon"}[15m]))'`,
      judgeDenied(tetragon, processes),
    ),
    proven(
      `./lab query logql 'sum by (tetragon_event_type) (count_over_time({service_name="tetragon"}[15m]))'`,
      judgeAllowed(tetragon, processes),
    ),
  ]
}

/** Keys of an export filter whose working an event shows by itself. */
const shown = ['event_set', 'namespace']
const decidable = (filter: Record<string, unknown>): boolean => Object.keys(filter).every(key => shown.includes(key))
const matches = (filter: Record<string, unknown>, { type, namespace }: SeenEvent): boolean =>
  (!filter.event_set || (filter.event_set as string[]).includes(type.toUpperCase())) &&
  (!filter.namespace || (filter.namespace as string[]).includes(namespace))

function judgeDenied({ exportDenyList }: Tetragon, events: SeenEvent[]): VerifyCheck {
  const title = 'what tetragon.exportDenyList names stays out'
  const filters = exportDenyList.filter(decidable)
  if (filters.length === 0) return skip('agent', title, 'no filter on it that an event shows by itself')
  const escaped = events.find(event => filters.some(filter => matches(filter, event)))
  return escaped
    ? fail('agent', title, `a ${escaped.type} of ${place(escaped)} in Loki`, 'none', './lab logs tetragon')
    : ok('agent', title, `none of ${events.length} events`)
}

function judgeAllowed({ exportAllowList }: Tetragon, events: SeenEvent[]): VerifyCheck {
  const title = 'nothing but what tetragon.exportAllowList names comes through'
  if (exportAllowList.length === 0) return skip('agent', title, 'it is empty: everything is let through')
  if (!exportAllowList.every(decidable))
    return skip('agent', title, `it filters by more than ${shown.join(' and ')}, which an event does not show`)
  const stray = events.find(event => !exportAllowList.some(filter => matches(filter, event)))
  return stray
    ? fail('agent', title, `a ${stray.type} of ${place(stray)} in Loki`, 'none', './lab logs tetragon')
    : ok('agent', title, `all of ${events.length} events`)
}

const place = ({ namespace }: SeenEvent): string => (namespace ? `namespace ${namespace}` : 'the node itself')

async function judgeRate({ exportRateLimit: limit }: Tetragon, agent: AgentView): Promise<VerifyCheck> {
  const title = 'no more events than tetragon.exportRateLimit'
  if (limit < 0) return skip('agent', title, 'it is -1: no limit is set')
  const count = await agent.lastMinute()
  // What was not used up in the minute before may come on top; and a line a minute says how many were dropped.
  const most = 2 * limit + 1
  return proven(
    `./lab query logql 'sum(count_over_time({service_name="tetragon"}[1m]))'`,
    count <= most
      ? ok('agent', title, `${count} in the last minute`)
      : fail('agent', title, `${count} in the last minute`, `at most ${most}`, './lab up'),
  )
}

async function judgeRedaction({ redactionFilters }: Tetragon, agent: AgentView): Promise<VerifyCheck> {
  const title = 'secrets in arguments never reach the file'
  const marker = `lab-verify-${randomBytes(4).toString('hex')}`
  const args = ['--password', 'open-sesame', marker]
  const wanted = redacted(args.join(' '), redactionFilters)
  if (wanted === undefined || wanted.includes('open-sesame'))
    return skip(
      'agent',
      title,
      'tetragon.redactionFilters do not cover `--password open-sesame`, which is what would be tried',
    )
  const found = await agent.argumentsOf(...args)
  const next = './lab logs tetragon'
  return proven(
    `./lab kubectl -n application exec deploy/visitor -- true --password open-sesame; ./lab query logql '{service_name="tetragon"} | process_arguments=~"--password.*"' --limit 1`,
    found === undefined
      ? fail('agent', title, 'the event of a program started to try it did not arrive', wanted, './lab logs shipper')
      : found === wanted
        ? ok('agent', title, found)
        : fail('agent', title, found, wanted, next),
  )
}

/**
 * What the filters that apply to every program make of some arguments: the groups of each expression become `*****`. Undefined where an
 * expression is none that JavaScript knows too.
 */
export function redacted(text: string, filters: Tetragon['redactionFilters']): string | undefined {
  try {
    return filters
      .filter(filter => !filter.binary_regex)
      .flatMap(filter => (filter.redact as string[] | undefined) ?? [])
      .reduce((before, expression) => {
        let after = before
        for (const match of [...before.matchAll(new RegExp(expression, 'dg'))].reverse())
          for (const group of (match.indices ?? []).slice(1).reverse())
            if (group) after = `${after.slice(0, group[0])}*****${after.slice(group[1])}`
        return after
      }, text)
  } catch {
    return undefined
  }
}

type Hooks = Awaited<ReturnType<AgentView['hooks']>>

function judgeHooks({ runtimeHooks }: Tetragon, hooks: Hooks): VerifyCheck[] {
  const title = 'the hook in the container runtime'
  const proof = './lab kubectl -n monitoring get daemonset tetragon-rthooks'
  if (!runtimeHooks)
    return [
      proven(
        proof,
        hooks
          ? fail('agent', title, 'runs', 'none: tetragon.runtimeHooks is false', './lab up')
          : ok('agent', title, 'none, as set'),
      ),
    ]
  const found = hooks ? `${hooks.ready} of ${hooks.wanted} ready` : 'not there'
  const next = './lab kubectl -n monitoring describe daemonset tetragon-rthooks'
  const told = 'containers are told to the agent before they start'
  return [
    proven(
      proof,
      hooks && hooks.ready === hooks.wanted && hooks.wanted > 0
        ? ok('agent', title, found)
        : fail('agent', title, found, 'one on each node', next),
    ),
    proven(
      `./lab query promql '${toldByHook}'`,
      hooks && hooks.containers > 0
        ? ok('agent', told, `${hooks.containers} since it started`)
        : skip('agent', told, 'no container has started since the agent did: start one, as with `rollout restart`'),
    ),
  ]
}

const toldByHook = 'sum(tetragon_policyfilter_operations_total{subsys="rthooks", operation="add-container", error=""})'

/** What is pinned is there with either setting; with the one it is told to stay, by two options of the agent. */
function judgePins({ keepSensorsOnExit }: Tetragon, config: Record<string, string>, pins: string[]): VerifyCheck {
  const title = 'enforcement outlives the agent'
  if (!keepSensorsOnExit)
    return skip('agent', title, 'tetragon.keepSensorsOnExit is false: what it has in the kernel goes when it does')
  const release = config['release-pinned-bpf'] ?? 'true'
  const found = `${pins.length} pinned, release-pinned-bpf: ${release}`
  return proven(
    './lab kubectl -n monitoring exec ds/tetragon -c tetragon -- ls /sys/fs/bpf/tetragon',
    pins.length > 0 && release === 'false'
      ? ok('agent', title, found)
      : fail('agent', title, found, 'some, and release-pinned-bpf: false', './lab up'),
  )
}

// --- Looking ------------------------------------------------------------------------------------------------------------------------

/** How far back is looked at most, in minutes. */
const minutes = 15

/** The agent of the lab that is up, by kubectl and Grafana. */
export function realAgent(grafana: Grafana): AgentView {
  const inMonitoring = ['-n', namespaces.monitoring]
  const everything = '{service_name="tetragon"}'

  async function since(): Promise<Date> {
    const { items } = await kubectlJson<{
      items: { status: { containerStatuses?: { name: string; state: { running?: { startedAt: string } } }[] } }[]
    }>([...inMonitoring, 'get', 'pods', '-l', 'app.kubernetes.io/name=tetragon'])
    const starts = items
      .flatMap(({ status }) => status.containerStatuses ?? [])
      .filter(({ name }) => name === 'tetragon')
      .map(({ state }) => Date.parse(state.running?.startedAt ?? ''))
      .filter(time => !Number.isNaN(time))
    return new Date(Math.max(Date.now() - minutes * 60_000, ...starts))
  }

  return {
    async config() {
      const { data } = await kubectlJson<{ data: Record<string, string> }>([
        ...inMonitoring,
        'get',
        'configmap',
        `${releases.tetragon}-config`,
      ])
      return data
    },
    async events() {
      const lines = await readLines(everything, await since(), new Date(), 500)
      return lines.map(({ line }) => seen(line))
    },
    async lastMinute() {
      const [series] = await grafana.loki(`sum(count_over_time(${everything}[1m]))`)
      return series?.value ?? 0
    },
    async argumentsOf(...args) {
      const from = new Date(Date.now() - 5_000)
      await kubectl(['-n', namespaces.application, 'exec', 'deploy/visitor', '--', 'true', ...args])
      const marker = args.at(-1)!
      for (const end = Date.now() + 20_000; Date.now() < end; await sleep(1000)) {
        const [found] = await readLines(
          `{service_name="tetragon", tetragon_event_type="process_exec"} |= "${marker}"`,
          from,
          new Date(Date.now() + 5_000),
          1,
        )
        if (found) return found.labels.process_arguments
      }
      return undefined
    },
    async hooks() {
      const { items } = await kubectlJson<{
        items: { metadata: { name: string }; status: { numberReady: number; desiredNumberScheduled: number } }[]
      }>([...inMonitoring, 'get', 'daemonsets'])
      const hook = items.find(({ metadata }) => metadata.name === `${releases.tetragon}-rthooks`)
      if (!hook) return undefined
      const [told] = await grafana.prometheus(toldByHook)
      return {
        ready: hook.status.numberReady,
        wanted: hook.status.desiredNumberScheduled,
        containers: told?.value ?? 0,
      }
    },
    async pins() {
      const agent = [...inMonitoring, 'exec', `ds/${releases.tetragon}`, '-c', 'tetragon']
      return (await kubectl([...agent, '--', 'ls', '/sys/fs/bpf/tetragon'])).split('\n').filter(Boolean)
    },
  }
}

/** What a line shows. */
export function seen(line: string): SeenEvent {
  interface Process {
    pod?: { namespace?: string }
    process_credentials?: object
    ns?: object
  }
  const whole = JSON.parse(line) as Record<string, { process?: Process } | undefined>
  const type = Object.keys(whole).find(key => typeof whole[key] === 'object' && key !== 'node_labels') ?? ''
  const process = whole[type]?.process
  return {
    type,
    namespace: process?.pod?.namespace ?? '',
    credentials: process?.process_credentials !== undefined,
    namespaces: process?.ns !== undefined,
  }
}
