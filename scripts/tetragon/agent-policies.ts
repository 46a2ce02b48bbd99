import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from '../../shared/lab-error.ts'
import { namespaces } from '../../shared/names.ts'
import { timeLimit } from '../../shared/time-limit.ts'
import { type ClusterAccess, kubectl, kubectlJson } from '../cluster/kubectl.ts'
import { endsWithConnection } from '../cluster/remote-command.ts'

// The agents' own view of the policies. Kubernetes has none: a TracingPolicy has no status, and the API server accepts
// policies that no agent can load.

/** A policy as one agent reports it. */
export interface AgentPolicy {
  node: string
  /** The agent's own number for the policy. A changed policy gets a new one. */
  id: string
  name: string
  /** Empty for a cluster-wide policy. */
  namespace: string
  state: 'loading' | 'enabled' | 'disabled' | 'load_error' | 'error' | 'unloading' | 'unknown'
  /** The agent's own message when it could not load the policy. */
  error?: string
  mode: 'enforce' | 'monitor' | 'monitor_only' | 'unknown'
  /** Memory of the policy's maps in the kernel. */
  kernelBytes: number
  counts: Counts
  /** The agent's own counter for each action, as in `monitor_signal`. Counters that are zero are absent. */
  actionCounters: Record<string, number>
}

/** Counts what a policy did since it was loaded. */
export interface Counts {
  events: number
  /** Signals sent and calls refused. */
  enforced: number
  /** Signals and refusals left out in monitor mode. */
  would: number
}

/** A policy in the output of `tetra tracingpolicy list -o json`. Fields that are zero or empty are absent. */
interface TetraPolicy {
  id?: string
  name: string
  namespace?: string
  state?: string
  error?: string
  mode?: string
  kernel_memory_bytes?: string
  stats?: { action_counters?: Record<string, string> }
}

/** Parses the output of `tetra tracingpolicy list -o json`. */
export function parsePolicyList(json: string, node: string): AgentPolicy[] {
  const { policies = [] } = JSON.parse(json) as { policies?: TetraPolicy[] }
  return policies.map(({ id = '', name, namespace = '', state, error, mode, kernel_memory_bytes, stats }) => {
    const actionCounters = Object.fromEntries(
      Object.entries(stats?.action_counters ?? {}).map(([action, count]) => [action, Number(count)]),
    )
    const sum = (...actions: string[]) => actions.reduce((total, action) => total + (actionCounters[action] ?? 0), 0)
    return {
      node,
      id,
      name,
      namespace,
      state: enumValue(state, 'TP_STATE_') as AgentPolicy['state'],
      ...(error && { error }),
      mode: enumValue(mode, 'TP_MODE_') as AgentPolicy['mode'],
      kernelBytes: Number(kernel_memory_bytes ?? 0),
      counts: {
        events: sum('post'),
        enforced: sum('signal', 'override', 'notify_enforcer'),
        would: sum('monitor_signal', 'monitor_override', 'monitor_notify_enforcer'),
      },
      actionCounters,
    }
  })
}

const enumValue = (value: string | undefined, prefix: string): string =>
  (value ?? `${prefix}UNKNOWN`).replace(prefix, '').toLowerCase()

/** Identifies a policy in a cluster. */
export interface PolicyKey {
  name: string
  /** Absent for a cluster-wide policy. */
  namespace?: string
}

/**
 * Returns the policies that every running agent of the cluster reports.
 * @throws LabError when no lab is running, or an agent does not respond.
 */
export async function readAgentPolicies(access: ClusterAccess, timeoutMs = answerMs): Promise<AgentPolicy[]> {
  const limitMs = Math.min(timeoutMs, answerMs)
  const agents = await listAgents(access, limitMs)
  return (await Promise.all(agents.map(agent => readPoliciesOf(access, agent, limitMs)))).flat()
}

/** How long to wait for an agent's answer. An agent that loads a policy can be slow to answer. */
const answerMs = 20_000

/** The pod of an agent. */
export interface Agent {
  pod: string
  node: string
}

interface AgentPod {
  metadata: { name: string }
  spec: { nodeName: string }
}

/** Returns the running agents of the cluster. */
export async function listAgents(access: ClusterAccess, timeoutMs = answerMs): Promise<Agent[]> {
  const args = [
    ...['get', 'pods', '-n', namespaces.monitoring],
    ...['-l', 'app.kubernetes.io/name=tetragon,app.kubernetes.io/component=agent'],
    '--field-selector=status.phase=Running',
  ]
  const { items } = await kubectlJson<{ items: AgentPod[] }>(access, args, { timeoutMs })
  return items.map(({ metadata, spec }) => ({ pod: metadata.name, node: spec.nodeName }))
}

/** Returns the policies that one agent reports. @throws LabError when it does not respond in time. */
export async function readPoliciesOf(
  access: ClusterAccess,
  { pod, node }: Agent,
  timeoutMs = answerMs,
): Promise<AgentPolicy[]> {
  const exec = ['exec', '--stdin', '-n', namespaces.monitoring, pod, '-c', 'tetragon', '--']
  const list = endsWithConnection(['tetra', 'tracingpolicy', 'list', '-o', 'json'])
  return parsePolicyList(await kubectl(access, [...exec, ...list], { timeoutMs, stdin: 'pipe' }), node)
}

/** Returns one entry of the list for each agent that has the policy. */
export const entriesOfPolicy = (list: AgentPolicy[], { name, namespace = '' }: PolicyKey): AgentPolicy[] =>
  list.filter(policy => policy.name === name && policy.namespace === namespace)

/** Sums the counts of all agents. */
export const sumCounts = (list: AgentPolicy[]): Counts =>
  list.reduce(
    (sum, { counts }) => ({
      events: sum.events + counts.events,
      enforced: sum.enforced + counts.enforced,
      would: sum.would + counts.would,
    }),
    { events: 0, enforced: 0, would: 0 },
  )

/** Whether the agents have loaded a policy. */
export interface LoadResult {
  /** `loaded`: by every agent. `refused`: by at least one. `waiting`: otherwise. */
  outcome: 'loaded' | 'refused' | 'waiting'
  agents: AgentPolicy[]
  /** The agent's own message when it refused the policy. */
  error?: string
}

/**
 * Returns whether the agents have loaded a policy.
 * @param before `NODE ID` of entries to ignore, because they are of an earlier version of the policy.
 */
export function judgeLoading(list: AgentPolicy[], key: PolicyKey, before: ReadonlySet<string> = new Set()): LoadResult {
  const agents = entriesOfPolicy(list, key).filter(({ node, id }) => !before.has(`${node} ${id}`))
  const refused = agents.find(({ state }) => state === 'load_error' || state === 'error')
  if (refused) return { outcome: 'refused', agents, error: refused.error ?? 'the agent gives no reason' }
  const loaded = agents.length > 0 && agents.every(({ state }) => state === 'enabled')
  return { outcome: loaded ? 'loaded' : 'waiting', agents }
}

/** How to wait for the agents. */
export interface WaitOptions {
  /** Returns the policies of all agents, or throws a LabError after at most this time. */
  read: (timeoutMs: number) => Promise<AgentPolicy[]>
  /** See `judgeLoading`. */
  before?: ReadonlySet<string>
  /** 60000 by default. */
  timeoutMs?: number
  /** Time between two reads; 1000 by default. */
  intervalMs?: number
}

/** The result of a wait, and how long it took, rounded. */
export type Waited<T> = T & { seconds: number }

/**
 * Waits until every agent has loaded a policy, or one has refused it. Loading takes seconds, on a slow machine tens of
 * seconds.
 * @returns the last result: `waiting` when the time ran out.
 * @throws LabError when no question was answered in time.
 */
export const waitLoaded = (key: PolicyKey, options: WaitOptions): Promise<Waited<LoadResult>> =>
  waitFor(
    list => judgeLoading(list, key, options.before),
    ({ outcome }) => outcome !== 'waiting',
    options,
  )

/**
 * Waits until every agent has loaded every policy, or one has refused one.
 * @returns the last results, in the order of the keys.
 */
export const waitAllLoaded = (keys: PolicyKey[], options: WaitOptions): Promise<Waited<{ results: LoadResult[] }>> =>
  waitFor(
    list => ({ results: keys.map(key => judgeLoading(list, key, options.before)) }),
    ({ results }) =>
      results.every(({ outcome }) => outcome === 'loaded') || results.some(({ outcome }) => outcome === 'refused'),
    options,
  )

/**
 * Waits until no agent has the policy any more, or the time has run out.
 * @throws LabError when no question was answered in time.
 */
export const waitUnloaded = (key: PolicyKey, options: WaitOptions): Promise<Waited<{ unloaded: boolean }>> =>
  waitFor(
    list => ({ unloaded: entriesOfPolicy(list, key).length === 0 }),
    ({ unloaded }) => unloaded,
    options,
  )

async function waitFor<T extends object>(
  judge: (list: AgentPolicy[]) => T,
  done: (value: T) => boolean,
  { read, timeoutMs = 60_000, intervalMs = 1_000 }: WaitOptions,
): Promise<Waited<T>> {
  const limitMs = timeLimit(timeoutMs)
  const startedAt = performance.now()
  const waitedMs = (): number => performance.now() - startedAt
  let value: T | undefined
  for (;;) {
    let problem: LabError | undefined
    try {
      value = judge(await read(Math.max(limitMs - waitedMs(), intervalMs)))
    } catch (error) {
      // A connection to a busy agent may break off. The next question may be answered.
      if (!(error instanceof LabError)) throw error
      problem = error
    }
    const isLast = waitedMs() + intervalMs > limitMs
    if (value && ((!problem && done(value)) || isLast)) return { ...value, seconds: Math.round(waitedMs() / 1000) }
    if (problem && isLast) throw problem
    await sleep(intervalMs)
  }
}

/** Returns the error for a policy that was not loaded. */
export const notLoadedError = (name: string, { outcome, error, seconds }: Waited<LoadResult>): LabError =>
  outcome === 'refused'
    ? new LabError({ found: `The agent refused ${name}: ${error}`, next: `./lab policy remove ${name}` })
    : new LabError({
        found: `${name} is in the cluster, but the agent has not loaded it after ${seconds} s`,
        next: `./lab policy check ${name}`,
      })
