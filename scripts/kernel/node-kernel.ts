import { readFileSync } from 'node:fs'
import { LabError } from '../../shared/lab-error.ts'
import { imageRef, readLock } from '../../shared/lock.ts'
import { dockerLabel } from '../../shared/names.ts'
import { type ClusterAccess, kubectl, kubectlJson } from '../cluster/kubectl.ts'
import { type NotProbed, type ProbeOptions, type ProbeTarget, probeScript } from './probe-target.ts'

/** A node, and the kernel and boot that it runs. */
interface Node {
  metadata: { name: string }
  spec: { taints?: { effect: string }[] }
  status: { nodeInfo: { kernelVersion: string; architecture: string; bootID: string } }
}

/**
 * Finds the kernel under an existing cluster: that of the first node that accepts pods, which a short-lived privileged
 * pod probes. Where the nodes' kernels differ, the user sets `tetragon.source`.
 * @throws LabError when the cluster does not respond, unless `pull` is off.
 */
export async function nodeKernel(
  cluster: ClusterAccess['settings']['cluster'],
  { pull, timeoutMs = 10_000, env = {} }: ProbeOptions,
): Promise<ProbeTarget | NotProbed> {
  const { context } = cluster
  const access = { settings: { cluster }, env }
  let nodes: Node[]
  try {
    nodes = await readNodes(access, timeoutMs)
  } catch (error) {
    if (!(error instanceof LabError)) throw error
    if (!pull) return { reason: `the cluster of context ${context} does not respond` }
    throw new LabError({
      found: `The cluster of context ${context} does not respond: ${error.found.replace(/^kubectl get nodes failed: /, '')}`,
      expected: 'a context of your kubeconfig, set as cluster.context (kubectl config get-contexts lists them)',
      next: './lab pulumi config set --path tetragon-lab:cluster.context NAME',
    })
  }
  const node = nodes.find(acceptsPods) ?? nodes[0]
  if (!node) return { reason: `the cluster of context ${context} has no node` }
  const { name } = node.metadata
  const { kernelVersion, architecture, bootID } = node.status.nodeInfo
  return {
    host: 'node',
    identity: [context, name, kernelVersion, architecture, bootID],
    run: async () => {
      if (!pull) return { reason: `\`lab up\` probes node ${name}` }
      try {
        return { rootless: false, probe: await probeFromPod(access, name) }
      } catch (error) {
        // A cluster may accept the lab and reject a privileged pod. Then the lab replays the recording.
        if (error instanceof LabError) return { reason: error.found }
        throw error
      }
    },
  }
}

async function readNodes(access: ClusterAccess, timeoutMs: number): Promise<Node[]> {
  return (await kubectlJson<{ items: Node[] }>(access, ['get', 'nodes', `--request-timeout=${timeoutMs}ms`])).items
}

const acceptsPods = ({ spec: { taints = [] } }: Node): boolean =>
  taints.every(({ effect }) => effect === 'PreferNoSchedule')

const pod = 'lab-kernel-probe'

/** Runs the probe on a node and removes its pod. @throws LabError when the cluster rejects the pod. */
async function probeFromPod(access: ClusterAccess, nodeName: string): Promise<string> {
  const remove = () => kubectl(access, ['delete', 'pod', pod, '--namespace=default', '--ignore-not-found'])
  // An interrupted probe may have left its pod.
  await remove()
  const spec = { nodeName, hostPID: true, tolerations: [{ operator: 'Exists' }] }
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
      access,
      ['run', pod, '--namespace=default', ...options, '--command', '--', 'sh', '-s', 'mount'],
      { input: readFileSync(probeScript) },
    )
  } finally {
    await remove()
  }
}
