import { execa } from 'execa'

/** Returns the name of the container that is the node of a kind cluster. */
export const nodeName = (cluster: string): string => `${cluster}-control-plane`

/**
 * Returns the state of the node's container in Docker's words (`running`, `exited`, …), or undefined when there is
 * none.
 */
export async function nodeState(cluster: string): Promise<string | undefined> {
  const args = ['inspect', '--format', '{{.State.Status}}', nodeName(cluster)]
  const { stdout, failed } = await execa('docker', args, { reject: false })
  return failed ? undefined : stdout.trim()
}

/** Returns the kubeadm configuration with which kind created the node, running or not; empty when there is none. */
export async function nodeConfig(cluster: string): Promise<string> {
  const args = ['cp', `${nodeName(cluster)}:/kind/kubeadm.conf`, '-']
  return (await execa('docker', args, { reject: false })).stdout
}
