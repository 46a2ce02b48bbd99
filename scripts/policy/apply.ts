import { LabError } from '../../shared/lab-error.ts'
import { kubectl, kubectlJson } from '../cluster/kubectl.ts'
import {
  type AgentPolicy,
  askAgents,
  type Loading,
  ofPolicy,
  type PolicyKey,
  type Waiting,
  waitLoaded,
  waitUnloaded,
} from '../tetragon/agent-policies.ts'
import { runningSource } from '../tetragon/tetra.ts'
import { readCatalog } from './catalog.ts'
import type { Finding } from './lint/lint.ts'
import { readSound } from './lint-files.ts'

/** What became of a policy that was handed to the cluster. */
export interface Applied extends PolicyKey {
  file: string
  /** What the API server did with the object. */
  object: 'created' | 'configured' | 'unchanged'
  source: 'live' | 'replay' | 'none'
  /** What the agents did with it; absent where none runs. */
  loading?: Loading
}

interface Object {
  metadata: { name: string; namespace?: string; resourceVersion?: string }
}

/**
 * Hands a policy to the cluster, and waits until the agents have loaded it.
 * @param nameOrFile A policy of the lab, or a file with one or more.
 * @param options.warn Told of the lint's warnings.
 * @param options.limit Most time to wait for the agents, in milliseconds; 60000.
 * @param options.every Time between two questions to them, in milliseconds; 1000.
 * @throws LabError when the lint finds an error, no lab is running, or the API server refuses the policy. That an agent refuses it is
 * in the result.
 */
export async function applyPolicy(
  nameOrFile: string,
  options: { warn?: (finding: Finding) => void } & Pick<Waiting, 'limit' | 'every'> = {},
): Promise<Applied[]> {
  const { file } = readSound(nameOrFile, options.warn)
  const source = await runningSource()
  const [earlier, agents] = await Promise.all([readObjects(), source === 'live' ? askAgents() : []])
  const answer = JSON.parse(await kubectl(['apply', '-f', file, '-o', 'json'])) as Object | { items: Object[] }
  const applied: Applied[] = []
  for (const { metadata } of 'items' in answer ? answer.items : [answer]) {
    const key = keyOf({ metadata })
    const known = earlier.find(object => sameKey(keyOf(object), key))?.metadata.resourceVersion
    // Not what kubectl says: because of defaults in lists, it says "configured" of everything that was there.
    const object = known === undefined ? 'created' : known === metadata.resourceVersion ? 'unchanged' : 'configured'
    // A changed policy is taken out of the agent and loaded anew, under another number.
    const stale = object === 'unchanged' ? [] : ofPolicy(agents, key)
    const loading = source === 'live' ? await waitLoaded(key, { ...options, before: numbers(stale) }) : undefined
    applied.push({ ...key, file, object, source, ...(loading && { loading }) })
  }
  return applied
}

const numbers = (list: AgentPolicy[]): Set<string> => new Set(list.map(({ node, id }) => `${node} ${id}`))

const keyOf = ({ metadata: { name, namespace } }: Object): PolicyKey => ({ name, ...(namespace && { namespace }) })

/** Whether two keys are one policy. */
export const sameKey = (a: PolicyKey, b: PolicyKey): boolean => a.name === b.name && a.namespace === b.namespace

async function readObjects(): Promise<Object[]> {
  const kinds = 'tracingpolicies.cilium.io,tracingpoliciesnamespaced.cilium.io'
  return (await kubectlJson<{ items: Object[] }>(['get', kinds, '--all-namespaces'])).items
}

/** The policies that are in the cluster. @throws LabError when no lab is running. */
export const clusterPolicies = async (): Promise<PolicyKey[]> => (await readObjects()).map(keyOf)

/**
 * The policy of that name in the cluster; of several the one in the namespace that the lab's own file says.
 * @returns undefined when there is none.
 */
export async function findInCluster(name: string): Promise<PolicyKey | undefined> {
  const found = (await clusterPolicies()).filter(policy => policy.name === name)
  const own = readCatalog().find(entry => entry.name === name)
  return found.find(({ namespace }) => namespace === own?.namespace) ?? found[0]
}

/**
 * Takes a policy out of the cluster, and waits until the agents have let go of it.
 * @throws LabError when it is not there.
 */
export async function removePolicy(name: string): Promise<PolicyKey & { unloaded: boolean }> {
  const key = await findInCluster(name)
  if (!key)
    throw new LabError({
      found: `no policy ${name} is in the cluster`,
      expected: 'one of those that are',
      next: './lab policy list',
    })
  const resource = key.namespace ? 'tracingpoliciesnamespaced.cilium.io' : 'tracingpolicies.cilium.io'
  await kubectl(['delete', resource, name, ...(key.namespace ? ['-n', key.namespace] : [])])
  const unloaded = (await runningSource()) !== 'live' || (await waitUnloaded(key))
  return { ...key, unloaded }
}
