import { execa } from 'execa'
import pRetry from 'p-retry'
import { LabError } from '../../shared/lab-error.ts'
import { podSubnet, serviceSubnet } from '../../shared/names.ts'

// The address of a Service belongs to no machine: kube-proxy replaces it on the way by that of a pod. Until it does, and while it still means a
// pod that is gone, which for some seconds after a start of the node is so with all of them, the packet would leave the node, and a network of a
// school may answer for any address: k6 would push its metrics to a stranger, and stay with that connection for as long as it lives. So the
// node refuses what none of its pods takes, and whoever asked tries again.

/** A Service's address that was not replaced: from a pod, and from the node itself. */
const refuse = ['FORWARD', 'OUTPUT'].map(chain => {
  const rule = `${chain} --destination ${serviceSubnet} --jump REJECT`
  return `iptables --wait --check ${rule} 2>/dev/null || iptables --wait --insert ${rule}`
})

/** A pod's address that no pod has: to each that there is leads a route of its own, which comes first. */
const unreachable = `ip route replace unreachable ${podSubnet}`

const commands = [...refuse, unreachable]

/** Each time that the node starts, before kubelet starts a pod. Where a rule cannot be had, kubelet starts all the same. */
const dropIn = ['[Service]', ...commands.map(command => `ExecStartPre=-/bin/sh -c "${command}"`), ''].join('\n')

const install = ['cat > /etc/systemd/system/kubelet.service.d/20-cluster-addresses.conf', ...commands].join('\n')

/**
 * Keeps connections to addresses of the cluster within the node, now and after each of its starts. Done twice, it changes nothing the second time.
 *
 * May be called before the node exists: what it writes is there before kubelet starts, which reads it then.
 * @throws LabError when the node does not take the rules within three minutes.
 */
export async function keepClusterAddressesInside(node: string): Promise<void> {
  const add = () => execa('docker', ['exec', '-i', node, 'sh', '-ec', install], { input: dropIn })
  await pRetry(add, { retries: 360, factor: 1, minTimeout: 500 }).catch((cause: Error) => {
    throw new LabError({
      found: `the node ${node} takes no rules for the addresses of the cluster`,
      expected: 'a kind node, which has iptables and ip',
      next: './lab up again; if it stays so: ./lab doctor',
      cause,
    })
  })
}
