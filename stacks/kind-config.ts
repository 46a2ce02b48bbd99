import { createHash } from 'node:crypto'
import { stringify } from 'yaml'
import type { Lab } from '../shared/lab.ts'
import { imageRef } from '../shared/lock.ts'
import { dockerLabel, nodePorts, podSubnet, serviceSubnet } from '../shared/names.ts'
import type { Settings } from '../shared/settings/schema.ts'
import { labId } from '../shared/stack.ts'

// What the lab's own node is created from. `lab up` reads it before it loads Pulumi, so this module must not import it.

/** Returns a digest of what a node cannot change after its creation: another one needs another node. */
export const nodeDigest = ({ settings, lock }: Pick<Lab, 'settings' | 'lock'>): string =>
  createHash('sha256')
    .update(stringify(kindConfig(settings)))
    .update(imageRef(lock.nodeImage))
    .digest('hex')

/**
 * Returns kind's configuration: one node (one kernel, one Tetragon), the host's `/proc`, and ports on loopback only. By
 * default kind listens on all interfaces.
 */
export function kindConfig(settings: Settings) {
  const port = (containerPort: number, hostPort: number) => ({
    containerPort,
    hostPort,
    listenAddress: '127.0.0.1',
    protocol: 'TCP',
  })
  const { ports } = settings
  return {
    kind: 'Cluster',
    apiVersion: 'kind.x-k8s.io/v1alpha4',
    name: settings.cluster.name,
    networking: { apiServerAddress: '127.0.0.1', podSubnet, serviceSubnet },
    // Without it, the kubelet of Kubernetes 1.35 and later does not start on a machine with cgroup v1.
    kubeadmConfigPatches: [
      stringify({ apiVersion: 'kubelet.config.k8s.io/v1beta1', kind: 'KubeletConfiguration', failCgroupV1: false }),
    ],
    nodes: [
      {
        role: 'control-plane',
        labels: { [dockerLabel]: 'node', [`${dockerLabel}/made-by`]: labId() },
        // Tetragon needs the processes of the machine, not only those of the node's container.
        extraMounts: [{ hostPath: '/proc', containerPath: '/procHost', readOnly: true }],
        extraPortMappings: [
          port(nodePorts.guestbook, ports.guestbook),
          port(nodePorts.grafana, ports.grafana),
          port(nodePorts.prometheus, ports.prometheus),
          port(nodePorts.loki, ports.loki),
          port(nodePorts.tetragon, ports.tetragon),
        ],
      },
    ],
  }
}
