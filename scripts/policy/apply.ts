import { LabError } from '../../shared/lab-error.ts'
import { type ClusterAccess, kubectl, kubectlJson } from '../cluster/kubectl.ts'
import {
  type AgentPolicy,
  entriesOfPolicy,
  type LoadResult,
  type PolicyKey,
  readAgentPolicies,
  type Waited,
  type WaitOptions,
  waitLoaded,
  waitUnloaded,
} from '../tetragon/agent-policies.ts'
import { runningSource } from '../tetragon/running-source.ts'
import { readCatalog } from './catalog.ts'
import type { Finding } from './lint/lint.ts'
import { readLintedPolicy } from './lint-files.ts'
import { isPolicyKind } from './model/policy-source.ts'

/** The result of applying a policy. */
export interface AppliedPolicy extends PolicyKey {
  file: string
  /** What the API server did with the object. */
  object: 'created' | 'configured' | 'unchanged'
  source: 'live' | 'replay' | 'none'
  /** What the agents did with it. Absent where no agent runs. */
  loading?: Waited<LoadResult>
}

interface ClusterObject {
  kind?: string
  metadata: { name: string; namespace?: string; resourceVersion?: string }
}

/**
 * Applies a policy to the cluster and waits until the agents have loaded it.
 * @param nameOrFile A policy of the lab, or a file with one or more policies.
 * @param options.warn Called with each lint warning.
 * @param options.timeoutMs The longest time to wait for the agents in milliseconds; 60000 by default.
 * @param options.intervalMs The time between two reads in milliseconds; 1000 by default.
 * @throws LabError when the lint finds an error, no lab is running, or the API server refuses the policy. If an agent
 * refuses it, the result says so.
 */
export async function applyPolicy(
  access: ClusterAccess,
  nameOrFile: string,
  options: { warn?: (finding: Finding) => void } & Pick<WaitOptions, 'timeoutMs' | 'intervalMs'> = {},
): Promise<AppliedPolicy[]> {
  const { file } = readLintedPolicy(nameOrFile, options.warn)
  const source = await runningSource(access)
  const read = (timeoutMs?: number) => readAgentPolicies(access, timeoutMs)
  const [earlier, agents] = await Promise.all([readObjects(access), source === 'live' ? read() : []])
  const response = JSON.parse(await kubectl(access, ['apply', '-f', file, '-o', 'json'])) as
    | ClusterObject
    | { items: ClusterObject[] }
  const applied: AppliedPolicy[] = []
  // A file can have other objects next to a policy, such as the Pod that it is for.
  const objects = 'items' in response ? response.items : [response]
  for (const { metadata } of objects.filter(({ kind }) => isPolicyKind(kind))) {
    const key = keyOf({ metadata })
    const known = earlier.find(object => isSamePolicy(keyOf(object), key))?.metadata.resourceVersion
    // kubectl itself always reports "configured" for an existing policy, because the schema has defaults in lists.
    const object = known === undefined ? 'created' : known === metadata.resourceVersion ? 'unchanged' : 'configured'
    // The agent reloads a changed policy under a new id.
    const stale = object === 'unchanged' ? [] : entriesOfPolicy(agents, key)
    const loading =
      source === 'live' ? await waitLoaded(key, { ...options, read, before: agentEntryIds(stale) }) : undefined
    applied.push({ ...key, file, object, source, ...(loading && { loading }) })
  }
  return applied
}

const agentEntryIds = (list: AgentPolicy[]): Set<string> => new Set(list.map(({ node, id }) => `${node} ${id}`))

const keyOf = ({ metadata: { name, namespace } }: ClusterObject): PolicyKey => ({
  name,
  ...(namespace && { namespace }),
})

/** Returns whether two keys name the same policy. */
export const isSamePolicy = (a: PolicyKey, b: PolicyKey): boolean => a.name === b.name && a.namespace === b.namespace

async function readObjects(access: ClusterAccess): Promise<ClusterObject[]> {
  const kinds = 'tracingpolicies.cilium.io,tracingpoliciesnamespaced.cilium.io'
  return (await kubectlJson<{ items: ClusterObject[] }>(access, ['get', kinds, '--all-namespaces'])).items
}

/** Returns the policies in the cluster. @throws LabError when no lab is running. */
export const listClusterPolicies = async (access: ClusterAccess): Promise<PolicyKey[]> =>
  (await readObjects(access)).map(keyOf)

/**
 * Returns the policy of that name in the cluster. If there are several, it prefers the namespace of the lab's own
 * policy.
 */
export async function findClusterPolicy(access: ClusterAccess, name: string): Promise<PolicyKey | undefined> {
  const found = (await listClusterPolicies(access)).filter(policy => policy.name === name)
  const own = readCatalog().find(entry => entry.name === name)
  return found.find(({ namespace }) => namespace === own?.namespace) ?? found[0]
}

/**
 * Removes a policy from the cluster and waits until the agents have unloaded it.
 * @throws LabError when the cluster does not have it.
 */
export async function removePolicy(
  access: ClusterAccess,
  name: string,
  options: Pick<WaitOptions, 'timeoutMs' | 'intervalMs'> = {},
): Promise<Waited<PolicyKey & { unloaded: boolean }>> {
  const key = await findClusterPolicy(access, name)
  if (!key) throw new LabError({ found: `The cluster has no policy ${name}`, next: './lab policy list' })
  const resource = key.namespace ? 'tracingpoliciesnamespaced.cilium.io' : 'tracingpolicies.cilium.io'
  const source = await runningSource(access)
  await kubectl(access, ['delete', resource, name, ...(key.namespace ? ['-n', key.namespace] : [])])
  if (source !== 'live') return { ...key, unloaded: true, seconds: 0 }
  const read = (timeoutMs: number) => readAgentPolicies(access, timeoutMs)
  return { ...key, ...(await waitUnloaded(key, { ...options, read })) }
}
