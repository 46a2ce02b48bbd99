import { readFileSync } from 'node:fs'
import { LabError } from '../../shared/lab-error.ts'
import { imageRef, readLock } from '../../shared/lock.ts'
import { dockerLabel } from '../../shared/names.ts'
import { withCleanUp } from '../cluster/clean-up.ts'
import { type ClusterAccess, kubectl, kubectlJson } from '../cluster/kubectl.ts'
import { prepareKubeconfig } from '../context/kubeconfig.ts'
import { type NotProbed, type ProbeOptions, type ProbeTarget, probeScript } from './probe-target.ts'

/** A node, and the kernel and boot that it runs. */
export interface Node {
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
    if (!error.found.startsWith('kubectl ')) throw error
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
  // `lab doctor` and a plain `pulumi` have not prepared it.
  if (!access.env.KUBECONFIG) await prepareKubeconfig(access.settings.cluster, access.env)
  const args = ['get', 'nodes', `--request-timeout=${timeoutMs}ms`]
  return (await kubectlJson<{ items: Node[] }>(access, args, { timeoutMs: timeoutMs + 5_000 })).items
}

/** Returns whether pods without a toleration can run on a node. */
export const acceptsPods = ({ spec: { taints = [] } }: Node): boolean =>
  taints.every(({ effect }) => effect === 'PreferNoSchedule')

const pod = 'lab-kernel-probe'

/** How long the node may take to pull the image and start the pod. */
const startMinutes = 5

/** Returns the arguments of kubectl that run the probe on a node, with the script on standard input. */
export function probeArguments(nodeName: string, image: string): string[] {
  const spec = {
    nodeName,
    hostPID: true,
    tolerations: [{ operator: 'Exists' }],
    // Most of what the probe reads is root's, and an image may name another user.
    securityContext: { runAsUser: 0, runAsNonRoot: false },
  }
  return [
    ...['run', pod, '--namespace=default'],
    `--image=${image}`,
    `--labels=${dockerLabel}=kernel-probe`,
    `--overrides=${JSON.stringify({ apiVersion: 'v1', spec })}`,
    '--privileged',
    '--restart=Never',
    `--pod-running-timeout=${startMinutes}m`,
    '--stdin',
    '--quiet',
    ...['--command', '--', 'sh', '-s', 'mount'],
  ]
}

/**
 * Runs the probe on a node and removes its pod, also when this process is interrupted meanwhile.
 * @throws LabError when the cluster rejects the pod.
 */
const probeFromPod = (access: ClusterAccess, nodeName: string): Promise<string> =>
  withCleanUp(access, ['pod', pod, '--namespace=default'], () =>
    kubectl(access, probeArguments(nodeName, imageRef(readLock().images.node)), {
      input: readFileSync(probeScript),
      timeoutMs: (startMinutes + 1) * 60_000,
    }),
  )
