import { createHash } from 'node:crypto'
import * as k8s from '@pulumi/kubernetes'
import type * as pulumi from '@pulumi/pulumi'
import type { Settings } from '../shared/settings/schema.ts'

/** Security context of the lab's own containers. */
export const restricted = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
}

/** The same for containers that read files of root on the node. */
export const restrictedRoot = { ...restricted, runAsNonRoot: false, runAsUser: 0 }

/**
 * Annotations of a Service. Pulumi asks only every 10 s whether a Service has Pods, and it waits for the Pods' own
 * Deployment or release anyway.
 */
export const notAwaited = { 'pulumi.com/skipAwait': 'true' }

/** Creates a Service with a fixed port on the node, which kind maps to loopback. */
export function nodePortService(
  name: string,
  spec: {
    namespace: pulumi.Input<string>
    selector: Record<string, string>
    port: number
    targetPort: number | string
    nodePort: number
  },
  options: pulumi.CustomResourceOptions,
): k8s.core.v1.Service {
  const { namespace, selector, port, targetPort, nodePort } = spec
  return new k8s.core.v1.Service(
    name,
    {
      metadata: { name, namespace, annotations: notAwaited },
      spec: { type: 'NodePort', selector, ports: [{ name: 'http', port, targetPort, nodePort }] },
    },
    options,
  )
}

/**
 * Returns a chart's values for a Service that people use: on the port of the node that kind maps to loopback. In an
 * existing cluster it has no such port, which would be open on every node.
 */
export const publicService = ({ cluster }: Settings, nodePort: number) =>
  cluster.mode === 'create' ? { type: 'NodePort', nodePort } : { type: 'ClusterIP' }

/** Returns Pod annotations with a checksum of mounted files. Without it, Pods keep running when the files change. */
export const checksumAnnotations = (files: Record<string, string>): Record<string, string> => ({
  'checksum/files': createHash('sha256').update(JSON.stringify(files)).digest('hex'),
})

/** Returns a chart's value for the StorageClass of a volume; nothing for the cluster's default. */
export const volumeClass = ({ cluster }: Settings): { storageClass?: string } =>
  cluster.storageClass === '' ? {} : { storageClass: cluster.storageClass }

/** Returns the resources of a container, as a section of the settings has them. */
export const podResources = ({ cpu, memory, memoryLimit }: Settings['loki']['resources']) => ({
  requests: { cpu, memory },
  limits: { memory: memoryLimit },
})
