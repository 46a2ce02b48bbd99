import { setTimeout as sleep } from 'node:timers/promises'
import { namespaces, releases } from '../../shared/names.ts'
import { timeLimit } from '../../shared/time-limit.ts'
import { type ClusterAccess, kubectl, kubectlJson } from '../cluster/kubectl.ts'
import type { GrafanaClient } from '../telemetry/grafana-client.ts'

/** Describes the agent's settings as an event shows them. */
export interface AgentEvent {
  /** As in `process_exec`. */
  type: string
  /** Empty for a process of the node itself. */
  namespace: string
  /** Whether the event has the process's credentials. */
  credentials: boolean
  /** Whether the event has the process's Linux namespaces. */
  namespaces: boolean
}

/** The hook in the container runtime. */
export interface HookStatus {
  ready: number
  wanted: number
  /** Containers that the hook has reported to the agent before they started. */
  containers: number
}

/** Describes an agent as seen from outside. */
export interface AgentView {
  /** Returns the agent's own options. */
  config(): Promise<Record<string, string>>
  /** Returns up to 500 events of the last 15 min, none from before the agent started. */
  events(): Promise<AgentEvent[]>
  /** Returns the number of events that reached Loki in the last minute. */
  eventsInLastMinute(): Promise<number>
  /** Starts a program, and returns its arguments as they reach Loki; undefined when they do not within 20 s. */
  argumentsOf(...args: string[]): Promise<string | undefined>
  /** Returns undefined when the hook is not installed. */
  hooks(): Promise<HookStatus | undefined>
  /** Returns the names of what the agent has pinned in the kernel. */
  pins(): Promise<string[]>
}

const everything = '{service_name="tetragon"}'
const monitoring = ['-n', namespaces.monitoring]

/** Query for the number of containers that the hook has reported. */
export const containersFromHooks =
  'sum(tetragon_policyfilter_operations_total{subsys="rthooks", operation="add-container", error=""})'

/** Returns a view of the running lab's agent. */
export function viewAgent(access: ClusterAccess, grafana: GrafanaClient): AgentView {
  return {
    config: async () => {
      const configMap = ['get', 'configmap', `${releases.tetragon}-config`]
      return (await kubectlJson<{ data: Record<string, string> }>(access, [...monitoring, ...configMap])).data
    },
    events: async () => {
      const lines = await grafana.logLines(everything, { from: await startOfEvents(access), limit: 500 })
      return lines.map(({ line }) => parseEvent(line))
    },
    eventsInLastMinute: async () => {
      const [sample] = await grafana.query('loki', `sum(count_over_time(${everything}[1m]))`)
      return sample?.value ?? 0
    },
    argumentsOf: (...args) => argumentsInLoki(access, grafana, args),
    hooks: () => readHooks(access, grafana),
    pins: async () => {
      const exec = ['exec', `ds/${releases.tetragon}`, '-c', 'tetragon', '--']
      const list = await kubectl(access, [...monitoring, ...exec, 'ls', '/sys/fs/bpf/tetragon'])
      return list.split('\n').filter(Boolean)
    },
  }
}

/** Returns when the newest agent started, or the time 15 min ago if that is later. */
async function startOfEvents(access: ClusterAccess): Promise<Date> {
  const { items } = await kubectlJson<{
    items: { status: { containerStatuses?: { name: string; state: { running?: { startedAt: string } } }[] } }[]
  }>(access, [...monitoring, 'get', 'pods', '-l', 'app.kubernetes.io/name=tetragon'])
  const starts = items
    .flatMap(({ status }) => status.containerStatuses ?? [])
    .filter(({ name }) => name === 'tetragon')
    .map(({ state }) => Date.parse(state.running?.startedAt ?? ''))
    .filter(time => !Number.isNaN(time))
  return new Date(Math.max(Date.now() - 15 * 60_000, ...starts))
}

async function argumentsInLoki(
  access: ClusterAccess,
  grafana: GrafanaClient,
  args: string[],
): Promise<string | undefined> {
  // The clocks of the node and of this machine may differ a little.
  const clockToleranceMs = 5_000
  const from = new Date(Date.now() - clockToleranceMs)
  await kubectl(access, ['-n', namespaces.application, 'exec', 'deploy/visitor', '--', 'true', ...args])
  const query = `{service_name="tetragon", tetragon_event_type="process_exec"} |= "${args.at(-1)}"`
  for (const end = Date.now() + timeLimit(20_000); Date.now() < end; await sleep(1000)) {
    const to = new Date(Date.now() + clockToleranceMs)
    const [found] = await grafana.logLines(query, { from, to, limit: 1 })
    if (found) return found.labels.process_arguments
  }
  return undefined
}

async function readHooks(access: ClusterAccess, grafana: GrafanaClient): Promise<HookStatus | undefined> {
  const { items } = await kubectlJson<{
    items: { metadata: { name: string }; status: { numberReady: number; desiredNumberScheduled: number } }[]
  }>(access, [...monitoring, 'get', 'daemonsets'])
  const hook = items.find(({ metadata }) => metadata.name === `${releases.tetragon}-rthooks`)
  if (!hook) return undefined
  const [sample] = await grafana.query('prometheus', containersFromHooks)
  const { numberReady, desiredNumberScheduled } = hook.status
  return { ready: numberReady, wanted: desiredNumberScheduled, containers: sample?.value ?? 0 }
}

/** Returns what a line of the event file shows. */
export function parseEvent(line: string): AgentEvent {
  interface Process {
    pod?: { namespace?: string }
    process_credentials?: object
    ns?: object
  }
  const event = JSON.parse(line) as Record<string, { process?: Process } | undefined>
  const type = Object.keys(event).find(key => typeof event[key] === 'object' && key !== 'node_labels') ?? ''
  const process = event[type]?.process
  return {
    type,
    namespace: process?.pod?.namespace ?? '',
    credentials: process?.process_credentials !== undefined,
    namespaces: process?.ns !== undefined,
  }
}
