import { readFileSync } from 'node:fs'
import { imageRef, readLock } from '../../shared/lock.ts'
import { dockerLabel } from '../../shared/names.ts'
import { kubectl } from '../cluster/kubectl.ts'

// The kernel under a cluster of the user's own: that of a node, asked from a pod that is gone afterwards.

/** A node, and which boot of which kernel it runs. */
export interface Node {
  metadata: { name: string }
  spec: { taints?: { effect: string }[] }
  status: { nodeInfo: { kernelVersion: string; architecture: string; bootID: string } }
}

/**
 * The node whose kernel speaks for the cluster: the first on which any pod may run. (Where kernels differ, `tetragon.source` decides in their place.)
 * @param patience milliseconds, default ten seconds
 * @throws LabError when the cluster does not answer.
 */
export async function nodeToAsk(context: string, patience = 10_000): Promise<Node | undefined> {
  const answer = await kubectl(['get', 'nodes', '-o', 'json', `--request-timeout=${patience}ms`], {}, of(context))
  const { items } = JSON.parse(answer) as { items: Node[] }
  const open = ({ spec: { taints = [] } }: Node) => taints.every(({ effect }) => effect === 'PreferNoSchedule')
  return items.find(open) ?? items[0]
}

/** What tells one kernel, and one boot of it, from another. */
export const identityOf = ({ metadata, status: { nodeInfo } }: Node): string =>
  [metadata.name, nodeInfo.kernelVersion, nodeInfo.architecture, nodeInfo.bootID].join(' ')

const pod = 'lab-kernel-probe'

/** What the probe says on a node. @throws LabError when the cluster will not have such a pod. */
export async function askNode(context: string, { metadata: { name } }: Node, script: string): Promise<string> {
  const remove = () => kubectl(['delete', 'pod', pod, '--namespace=default', '--ignore-not-found'], {}, of(context))
  // One that was cut off.
  await remove()
  const spec = { nodeName: name, hostPID: true, tolerations: [{ operator: 'Exists' }] }
  const options = [
    `--image=${imageRef(readLock().images.node)}`,
    `--labels=${dockerLabel}=kernel-probe`,
    `--overrides=${JSON.stringify({ apiVersion: 'v1', spec })}`,
    '--privileged',
    '--restart=Never',
    '--pod-running-timeout=5m',
    '--stdin',
    '--quiet',
  ]
  try {
    return await kubectl(
      ['run', pod, '--namespace=default', ...options, '--command', '--', 'sh', '-s', 'mount'],
      { input: readFileSync(script) },
      of(context),
    )
  } finally {
    await remove()
  }
}

const of = (context: string): string[] => ['--context', context]
