import { setTimeout as sleep } from 'node:timers/promises'
import { LabError } from '../../../shared/lab-error.ts'
import { runLimited } from '../../../shared/run-limited.ts'
import { timeLimit } from '../../../shared/time-limit.ts'
import { withCleanUp } from '../../cluster/clean-up.ts'
import type { ClusterAccess } from '../../cluster/kubectl.ts'
import {
  type AgentPolicy,
  type Counts,
  entriesOfPolicy,
  notLoadedError,
  readAgentPolicies,
  sumCounts,
  type WaitOptions,
} from '../../tetragon/agent-policies.ts'
import { applyPolicy, removePolicy } from '../apply.ts'
import { type CatalogEntry, catalogEntry } from '../catalog.ts'
import type { Finding } from '../lint/lint.ts'
import { readClusterState, stateOf } from '../policy-state.ts'
import { followPolicyEvents, isExpected, type PolicyEvent } from './policy-events.ts'
import type { Trial } from './trial.ts'

/** One claim of a trial, and what was seen. */
export interface TrialCheck {
  claim: string
  passed: boolean
  found: string
}

/** What happened when a policy was triggered. */
export interface TrialResult {
  name: string
  namespace?: string
  /** Whether the trial loaded the policy, and removed it again. Otherwise it was loaded before. */
  applied: boolean
  /** The command that triggered it. */
  run: string
  exitCode: number
  /** What the command printed. */
  output: string
  /** The events of the policy from then on, also those that others triggered. */
  events: PolicyEvent[]
  /** How often the policy enforced an action, or in monitor mode would have. Absent for one that only observes. */
  counts?: Pick<Counts, 'enforced'> | Pick<Counts, 'would'>
  checks: TrialCheck[]
  passed: boolean
}

/** How to try a policy. */
export interface TryOptions extends Pick<WaitOptions, 'timeoutMs' | 'intervalMs'> {
  /** Called with what the trial does next. */
  progress?: (text: string) => void
  /** Called with each lint warning. */
  warn?: (finding: Finding) => void
}

/** How long an event, or a counter of the agent, may take to appear. */
const eventMs = 30_000

/**
 * Triggers a policy of the lab and observes what happens. Loads it first if it is not loaded, and removes it again.
 * @throws LabError when no lab is running, no agent runs, or the agents do not load the policy.
 */
export async function tryPolicy(access: ClusterAccess, name: string, options: TryOptions = {}): Promise<TrialResult> {
  const entry = catalogEntry(name)
  const state = await readClusterState(access)
  if (state.source !== 'live') throw noAgentError(name, state.source)
  const { state: loaded } = stateOf(entry, state)
  if (loaded === 'loaded') return observe(access, entry, { ...options, applied: false, agents: state.agents })
  if (loaded !== 'absent')
    throw new LabError({
      found: `${name} is in the cluster, but no agent has loaded it`,
      next: `./lab policy check ${name}`,
    })
  return withCleanUp(access, objectOf(entry), async () => {
    const agents = await load(access, entry, options)
    const result = await observe(access, entry, { ...options, applied: true, agents })
    options.progress?.(`Removing ${name}`)
    await removePolicy(access, name, options)
    return result
  })
}

const noAgentError = (name: string, source: 'replay' | 'none'): LabError =>
  new LabError({
    found: `${name} cannot be tried: no agent is running to load it${source === 'replay' ? ', because the lab replays a recording' : ''}`,
    expected: 'a lab on a kernel that can run Tetragon; ./lab doctor says what this one lacks',
    next: './lab doctor',
  })

/** Returns the arguments of `kubectl delete` for a policy. */
const objectOf = ({ name, namespace }: CatalogEntry): string[] =>
  namespace ? ['tracingpoliciesnamespaced.cilium.io', name, '-n', namespace] : ['tracingpolicies.cilium.io', name]

/** Applies a policy and waits until the agents have loaded it. @returns the agents' policies afterwards. */
async function load(access: ClusterAccess, { name }: CatalogEntry, options: TryOptions): Promise<AgentPolicy[]> {
  options.progress?.(`Loading ${name}`)
  const [applied] = await applyPolicy(access, name, options)
  const { loading } = applied!
  if (loading?.outcome === 'loaded') return loading.agents
  // It is removed before anyone reads this.
  const { found } = notLoadedError(name, loading!)
  throw new LabError({ found, next: `./lab policy apply ${name}` })
}

async function observe(
  access: ClusterAccess,
  entry: CatalogEntry,
  { applied, agents, progress, intervalMs = 1000 }: TryOptions & { applied: boolean; agents: AgentPolicy[] },
): Promise<TrialResult> {
  const { name, namespace, trial } = entry
  const countOf = (list: AgentPolicy[]): Counts => sumCounts(entriesOfPolicy(list, entry))
  const counter = entry.enforces ? 'enforced' : entry.monitor ? 'would' : undefined
  const before = countOf(agents)
  const events = await followPolicyEvents(access, name)
  progress?.(`Triggering ${name}`)
  const { exitCode = 1, all } = await runLimited('sh', ['-c', trial.run], { env: access.env, timeoutMs: 60_000 })
  const seen: Seen = { exitCode, output: all, events: [] }
  for (const end = Date.now() + timeLimit(eventMs); ; await sleep(intervalMs)) {
    if (counter) seen.count = countOf(await readAgentPolicies(access))[counter] - before[counter]
    // After the counter: a policy that sends no event has had the time to send one.
    seen.events = await events()
    const checks = checkTrial(trial, seen, counter)
    const passed = checks.every(check => check.passed)
    if (!passed && Date.now() < end) continue
    return {
      name,
      ...(namespace && { namespace }),
      applied,
      run: trial.run,
      exitCode,
      output: all,
      events: seen.events,
      ...(counter && { counts: { [counter]: seen.count } as TrialResult['counts'] }),
      checks,
      passed,
    }
  }
}

/** What a trial saw. */
export interface Seen {
  exitCode: number
  output: string
  events: PolicyEvent[]
  /** By how much the counter of enforced actions, or of those that would have been, rose. */
  count?: number
}

/** Compares what a trial saw with what it expects. */
export function checkTrial(
  { exit, prints, event }: Trial,
  { exitCode, output, events, count = 0 }: Seen,
  counter?: 'enforced' | 'would',
): TrialCheck[] {
  const printed = output.trim()
  return [
    { claim: `exits with ${exit}`, passed: exitCode === exit, found: `exit code ${exitCode}` },
    ...(prints === undefined
      ? []
      : [{ claim: `prints "${prints}"`, passed: printed.includes(prints), found: printed || 'nothing' }]),
    event === 'none'
      ? { claim: 'sends no event', passed: events.length === 0, found: eventCount(events) }
      : {
          claim: `sends an event of "${event.process}"${event.argument ? ` with "${event.argument}"` : ''}`,
          passed: events.some(each => isExpected(each, event)),
          found: eventCount(events),
        },
    ...(counter
      ? [
          {
            claim: counter === 'enforced' ? 'is counted as enforced' : 'is counted as what would have been enforced',
            passed: count > 0,
            found: `${count} times`,
          },
        ]
      : []),
  ]
}

const eventCount = (events: PolicyEvent[]): string =>
  events.length === 0
    ? 'no event of the policy'
    : `${events.length} event${events.length === 1 ? '' : 's'} of the policy`
