import { execa } from 'execa'
import pRetry from 'p-retry'
import { LabError } from '../../stacks/error.ts'
import { serviceSubnet } from '../../stacks/names.ts'

// The address of a Service belongs to no machine: kube-proxy replaces it on the way. Until it does, which takes it some seconds after a start of the
// node, the packet would leave the node, and a network of a school may answer for any address: k6 would push its metrics to a stranger, and stay
// with that connection for as long as it lives. So the node refuses what was not replaced, and whoever asked tries again.

/** After the replacement, on both ways that a packet can take: from a pod, and from the node itself. */
const refuse = ['FORWARD', 'OUTPUT'].map(chain => {
  const rule = `${chain} --destination ${serviceSubnet} --jump REJECT`
  return `iptables --wait --check ${rule} 2>/dev/null || iptables --wait --insert ${rule}`
})

/** Each time that the node starts, before kubelet starts a pod. Where the rule cannot be had, kubelet starts all the same. */
const dropIn = ['[Service]', ...refuse.map(command => `ExecStartPre=-/bin/sh -c "${command}"`), ''].join('\n')

const install = ['cat > /etc/systemd/system/kubelet.service.d/20-service-addresses.conf', ...refuse].join('\n')

/**
 * Keeps connections to addresses of Services within the node, now and after each of its starts. Done twice, it changes nothing the second time.
 *
 * May be called before the node exists: what it writes is there before kubelet starts, which reads it then.
 * @throws LabError when the node does not take the rule within three minutes.
 */
export async function keepServiceAddressesInside(node: string): Promise<void> {
  const add = () => execa('docker', ['exec', '-i', node, 'sh', '-ec', install], { input: dropIn })
  await pRetry(add, { retries: 360, factor: 1, minTimeout: 500 }).catch((cause: Error) => {
    throw new LabError({
      found: `the node ${node} takes no rule for the addresses of Services`,
      expected: 'a kind node, which has iptables',
      next: './lab up again; if it stays so: ./lab doctor',
      cause,
    })
  })
}
