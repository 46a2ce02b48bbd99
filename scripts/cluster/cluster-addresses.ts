import { execa } from 'execa'
import pRetry from 'p-retry'
import { LabError } from '../../shared/lab-error.ts'
import { podSubnet, serviceSubnet } from '../../shared/names.ts'

// kube-proxy rewrites the address of a Service to that of a pod. For a few seconds after a start of the node it does
// not yet, or rewrites it to a pod that no longer exists. Such a packet would leave the node, and the network outside
// may answer for any address: k6 would then push its metrics to a foreign host for as long as the connection lives. So
// the node rejects every cluster address that belongs to none of its pods, and the client retries.

/** Rejects Service addresses that kube-proxy did not rewrite, from pods and from the node itself. */
const rejectServices = ['FORWARD', 'OUTPUT'].map(chain => {
  const rule = `${chain} --destination ${serviceSubnet} --jump REJECT`
  return `iptables --wait --check ${rule} 2>/dev/null || iptables --wait --insert ${rule}`
})

/** Rejects pod addresses that no pod has. The route of an existing pod is more specific and wins. */
const rejectPods = `ip route replace unreachable ${podSubnet}`

const commands = [...rejectServices, rejectPods]

/**
 * Repeats the commands at each start of the node, before kubelet starts a pod. `-` lets kubelet start even if one
 * fails.
 */
const dropIn = ['[Service]', ...commands.map(command => `ExecStartPre=-/bin/sh -c "${command}"`), ''].join('\n')

/** Runs in the node, with the drop-in on standard input. */
export const installScript = [
  'cat > /etc/systemd/system/kubelet.service.d/20-cluster-addresses.conf',
  ...commands,
].join('\n')

/**
 * Keeps connections to cluster addresses inside the node, now and after each restart. A second call changes nothing.
 * May be called before the node exists: it retries until the node accepts the rules, which is before kubelet starts.
 * @throws LabError when the node does not accept the rules within 3 minutes.
 */
export async function confineClusterAddresses(node: string): Promise<void> {
  const add = () =>
    execa('docker', ['exec', '-i', node, 'sh', '-ec', installScript], { input: dropIn, timeout: 20_000 })
  await pRetry(add, { retries: 360, factor: 1, minTimeout: 500 }).catch((cause: Error) => {
    throw new LabError({
      found: `The network rules for cluster addresses cannot be added to the node ${node}`,
      expected: 'a kind node, which has iptables and ip',
      next: './lab up again; if it fails again: ./lab doctor',
      cause,
    })
  })
}
