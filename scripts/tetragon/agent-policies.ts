import { LabError } from '../../shared/lab-error.ts'
import { namespaces } from '../../shared/names.ts'
import { kubectl, kubectlJson } from '../cluster/kubectl.ts'

// What the agents themselves say about their policies. Kubernetes cannot tell: a TracingPolicy has no status, and the API server takes
// policies that no agent will load.

/** A policy as one agent has it. */
export interface AgentPolicy {
  node: string
  /** The agent's own number: another one after the policy was changed. */
  id: string
  name: string
  /** Empty for one that is for the whole cluster. */
  namespace: string
  state: 'loading' | 'enabled' | 'disabled' | 'load_error' | 'error' | 'unloading' | 'unknown'
  /** The agent's own words when it did not load it. */
  error?: string
  mode: 'enforce' | 'monitor' | 'monitor_only' | 'unknown'
  /** Memory of its maps in the kernel. */
  kernelBytes: number
  counts: Counts
}

/** What a policy did since it was loaded. */
export interface Counts {
  /** Events. */
  events: number
  /** Signals that were sent and calls that were refused. */
  enforced: number
  /** Those that would have been, in monitor mode. */
  would: number
}

interface TetraPolicy {
  id?: string
  name: string
  namespace?: string
  state?: string
  error?: string
  mode?: string
  kernel_memory_bytes?: string
  stats?: { action_counters?: Record<string, string | undefined> }
}

/** Reads what `tetra tp list -o json` prints. */
export function parsePolicyList(json: string, node: string): AgentPolicy[] {
  const { policies = [] } = JSON.parse(json) as { policies?: TetraPolicy[] }
  return policies.map(({ id = '', name, namespace = '', state, error, mode, kernel_memory_bytes, stats }) => {
    const counter = (...names: string[]): number =>
      names.reduce((sum, key) => sum + Number(stats?.action_counters?.[key] ?? 0), 0)
    return {
      node,
      id,
      name,
      namespace,
      state: word(state, 'TP_STATE_') as AgentPolicy['state'],
      ...(error && { error }),
      mode: word(mode, 'TP_MODE_') as AgentPolicy['mode'],
      kernelBytes: Number(kernel_memory_bytes ?? 0),
      counts: {
        events: counter('post'),
        enforced: counter('signal', 'override', 'notify_enforcer'),
        would: counter('monitor_signal', 'monitor_override', 'monitor_notify_enforcer'),
      },
    }
  })
}

const word = (value: string | undefined, prefix: string): string =>
  (value ?? `${prefix}UNKNOWN`).replace(prefix, '').toLowerCase()

/** A policy's name and, unless it is for the whole cluster, its namespace. */
export interface PolicyKey {
  name: string
  namespace?: string
}

/** Asks every agent of the cluster for its policies. @throws LabError when no lab is running, or an agent does not answer. */
export async function askAgents(): Promise<AgentPolicy[]> {
  const { items } = await kubectlJson<{ items: { metadata: { name: string }; spec: { nodeName: string } }[] }>([
    'get',
    'pods',
    '-n',
    namespaces.monitoring,
    '-l',
    'app.kubernetes.io/name=tetragon,app.kubernetes.io/component=agent',
    '--field-selector=status.phase=Running',
  ])
  const lists = await Promise.all(
    items.map(async ({ metadata, spec }) => {
      // With nothing on its standard input: from a pipe tetra would read events, and wait for ever.
      const tetra = ['exec', '-n', namespaces.monitoring, metadata.name, '-c', 'tetragon', '--', 'tetra']
      return parsePolicyList(await kubectl([...tetra, 'tracingpolicy', 'list', '-o', 'json']), spec.nodeName)
    }),
  )
  return lists.flat()
}

/** Those of a list that are one policy: one of each agent that has it. */
export const ofPolicy = (list: AgentPolicy[], { name, namespace = '' }: PolicyKey): AgentPolicy[] =>
  list.filter(policy => policy.name === name && policy.namespace === namespace)

/** Sums what all agents counted. */
export const sumCounts = (list: AgentPolicy[]): Counts =>
  list.reduce(
    (sum, { counts }) => ({
      events: sum.events + counts.events,
      enforced: sum.enforced + counts.enforced,
      would: sum.would + counts.would,
    }),
    { events: 0, enforced: 0, would: 0 },
  )

/** How a policy fares with the agents. */
export interface Loading {
  /** `loaded` by every agent, `refused` by one at least, `waiting` otherwise. */
  outcome: 'loaded' | 'refused' | 'waiting'
  agents: AgentPolicy[]
  /** The agent's own words, with `refused`. */
  error?: string
}

/**
 * Judges a policy by what the agents say.
 * @param before Numbers that the agents gave to an earlier version of it, which do not count.
 */
export function judgeLoading(list: AgentPolicy[], key: PolicyKey, before: ReadonlySet<string> = new Set()): Loading {
  const agents = ofPolicy(list, key).filter(({ node, id }) => !before.has(`${node} ${id}`))
  const refused = agents.find(({ state }) => state === 'load_error' || state === 'error')
  if (refused) return { outcome: 'refused', agents, error: refused.error ?? 'the agent gives no reason' }
  const loaded = agents.length > 0 && agents.every(({ state }) => state === 'enabled')
  return { outcome: loaded ? 'loaded' : 'waiting', agents }
}

/** How to wait, and whom to ask; a test puts others in their place. */
export interface Waiting {
  ask?: () => Promise<AgentPolicy[]>
  before?: ReadonlySet<string>
  /** Most time to wait, in milliseconds; 60000. */
  limit?: number
  /** Time between two questions, in milliseconds; 1000. */
  every?: number
}

/**
 * Waits until every agent has loaded a policy, or one has refused it. Loading takes seconds, on a slow machine tens of seconds.
 * @returns the last judgement: `waiting` when the limit came first.
 */
export async function waitLoaded(key: PolicyKey, options: Waiting = {}): Promise<Loading> {
  return waitFor(
    list => judgeLoading(list, key, options.before),
    ({ outcome }) => outcome !== 'waiting',
    options,
  )
}

/** The same for several: waits until each is loaded, or one is refused. @returns the last judgements, in the order of the keys. */
export async function waitAllLoaded(keys: PolicyKey[], options: Waiting = {}): Promise<Loading[]> {
  return waitFor(
    list => keys.map(key => judgeLoading(list, key, options.before)),
    all => all.every(({ outcome }) => outcome === 'loaded') || all.some(({ outcome }) => outcome === 'refused'),
    options,
  )
}

/** Waits until no agent has a policy any more. @returns whether that came before the limit. */
export async function waitUnloaded(key: PolicyKey, options: Waiting = {}): Promise<boolean> {
  return waitFor(
    list => ofPolicy(list, key).length === 0,
    gone => gone,
    options,
  )
}

async function waitFor<T>(
  judge: (list: AgentPolicy[]) => T,
  done: (value: T) => boolean,
  options: Waiting,
): Promise<T> {
  const { ask = askAgents, limit = 60_000, every = 1_000 } = options
  const end = Date.now() + limit
  for (;;) {
    const value = judge(await ask())
    if (done(value) || Date.now() + every > end) return value
    await new Promise(resolve => setTimeout(resolve, every))
  }
}

/** What is said of a policy that was not loaded. @param seconds how long it was waited for. */
export const notLoaded = (name: string, loading: Loading | undefined, seconds: number): LabError =>
  loading?.outcome === 'refused'
    ? new LabError({
        found: `the agent refused ${name}: ${loading.error}`,
        expected: 'a policy that this kernel and agent can load',
        next: `./lab policy remove ${name}`,
      })
    : new LabError({
        found: `${name} is in the cluster, but after ${seconds} s the agent has not loaded it`,
        expected: 'that it loads in seconds, on a slow machine in tens of seconds',
        next: `./lab policy check ${name}`,
      })
