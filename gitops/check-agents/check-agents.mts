// Fails when an agent has not loaded a policy. Kubernetes accepts a policy that agents refuse later, and a policy has no
// status that would say so. This program asks Prometheus, which scrapes every agent.
//
// A Job runs it after each sync (check-agents.yaml), from a ConfigMap in a plain Node image. So it may not import a
// package or another file.
import { setTimeout as sleep } from 'node:timers/promises'

/** What to check. */
export interface Check {
  /** Address of Prometheus. */
  prometheus: string
  /** Names of the policies, as in `tcp-connect`, or `application/deny-wget` for a namespaced one. */
  policies: string[]
  /** Prometheus's name for the scrape job of the agents. */
  job: string
  /** How many agents may be down. On a large cluster, some node always is. */
  agentsDown: number
}

/** What Prometheus knows about one agent. */
export interface Agent {
  /** Name of the node, or the address where the node is unknown. */
  node: string
  up: boolean
  /** When its policies were last scraped, in seconds since 1970; 0 for never. */
  scrapedAt: number
  /** The policies that it has received, loaded or not. */
  received: Set<string>
  /** Number of policies that it could not load. */
  refused: number
}

/** What stands in the way of success. With `refused` there is nothing to wait for. */
export interface Problems {
  refused: string[]
  pending: string[]
}

/** A time series and its value now. */
interface Series {
  metric: Record<string, string>
  value: [time: number, value: string]
}

async function query(prometheus: string, expression: string): Promise<Series[]> {
  const response = await fetch(`${prometheus}/api/v1/query?${new URLSearchParams({ query: expression })}`, {
    signal: AbortSignal.timeout(10_000),
  })
  if (!response.ok) throw new Error(`Prometheus responded with ${response.status}`)
  const { data } = (await response.json()) as { data: { result: Series[] } }
  return data.result
}

/** Returns the agents and their policies. @throws Error when Prometheus does not respond. */
export async function readAgents({ prometheus, policies, job }: Check): Promise<Agent[]> {
  const names = [...new Set(policies.map(policy => policy.split('/').at(-1)!))]
  const [targets, scrapes, refusals, received] = await Promise.all(
    [
      `up{job="${job}"}`,
      `timestamp(tetragon_tracingpolicy_loaded{job="${job}", state="enabled"})`,
      `sum by (instance) (tetragon_tracingpolicy_loaded{job="${job}", state=~"error|load_error"}) > 0`,
      // An agent reports this for every policy that it has received.
      `tetragon_tracingpolicy_kernel_memory_bytes{job="${job}", policy=~"${names.join('|')}"}`,
    ].map(expression => query(prometheus, expression)),
  )
  const agents = new Map<string, Agent>()
  for (const { metric, value } of targets!)
    agents.set(metric.instance!, {
      node: metric.node ?? metric.instance!,
      up: value[1] === '1',
      scrapedAt: 0,
      received: new Set(),
      refused: 0,
    })
  const agentOf = ({ metric }: Series): Agent | undefined => agents.get(metric.instance!)
  for (const series of scrapes!) {
    const agent = agentOf(series)
    if (agent) agent.scrapedAt = Number(series.value[1])
  }
  for (const series of refusals!) {
    const agent = agentOf(series)
    if (agent) agent.refused = Number(series.value[1])
  }
  for (const series of received!) {
    const { policy, policy_namespace: namespace } = series.metric
    agentOf(series)?.received.add(namespace ? `${namespace}/${policy}` : policy!)
  }
  return [...agents.values()]
}

/**
 * Returns what is wrong with the agents.
 * @param since an agent that was last scraped before this time may not have reported the sync yet (seconds since 1970)
 */
export function problemsOf(agents: Agent[], { policies, agentsDown }: Check, since: number): Problems {
  if (agents.length === 0) return { refused: [], pending: ['Prometheus scrapes no agent'] }
  const down = agents.filter(({ up }) => !up).map(({ node }) => `${node}: the agent is down`)
  const fresh = agents.filter(({ up, scrapedAt }) => up && scrapedAt >= since)
  const stale = agents.filter(({ up, scrapedAt }) => up && scrapedAt < since)
  const missing = fresh.flatMap(({ node, received }) => {
    const absent = policies.filter(policy => !received.has(policy))
    return absent.length > 0 ? [`${node}: has not received ${absent.join(', ')}`] : []
  })
  return {
    refused: fresh
      .filter(({ refused }) => refused > 0)
      .map(({ node, refused }) => `${node}: could not load ${refused === 1 ? '1 policy' : `${refused} policies`}`),
    pending: [
      ...(down.length > agentsDown ? down : []),
      ...stale.map(({ node }) => `${node}: has not been scraped since the sync`),
      ...missing,
    ],
  }
}

/** How long an agent may take to load a policy that it has received. */
const loadSeconds = 5

/**
 * Waits until every agent has loaded the policies.
 * @param timeoutSeconds must be longer than two scrape intervals
 * @returns what is still wrong, one line each; empty on success.
 */
export async function checkAgents(check: Check, timeoutSeconds: number, pauseMs = 5000): Promise<string[]> {
  const startedAt = Date.now()
  const since = startedAt / 1000 + loadSeconds
  for (;;) {
    const { refused, pending } = await readAgents(check).then(
      agents => problemsOf(agents, check, since),
      (error: Error) => ({ refused: [], pending: [`${check.prometheus}: ${error.message}`] }),
    )
    if (refused.length > 0) return refused
    if (pending.length === 0) return []
    if (Date.now() - startedAt > timeoutSeconds * 1000) return pending
    await sleep(pauseMs)
  }
}

if (import.meta.main) {
  const { PROMETHEUS = '', POLICIES = '', JOB = 'tetragon', AGENTS_DOWN = '0', TIMEOUT_SECONDS = '180' } = process.env
  const check: Check = {
    prometheus: PROMETHEUS,
    policies: POLICIES.split(' ').filter(Boolean),
    job: JOB,
    agentsDown: Number(AGENTS_DOWN),
  }
  const problems = await checkAgents(check, Number(TIMEOUT_SECONDS))
  for (const problem of problems.slice(0, 20)) console.error(problem)
  if (problems.length > 20) console.error(`and ${problems.length - 20} more`)
  if (problems.length > 0) {
    console.error('To see which policy and why, in the agent of that node: tetra tracingpolicy list')
    process.exitCode = 1
  } else console.log(`Every agent has loaded ${check.policies.join(', ')}`)
}
