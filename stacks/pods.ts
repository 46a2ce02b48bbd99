import { createHash } from 'node:crypto'
import * as k8s from '@pulumi/kubernetes'
import type * as pulumi from '@pulumi/pulumi'

/** What a container of the lab's own may do: nothing that it does not need. */
export const restricted = {
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
}

/** The same for root, where what it reads on the node belongs to root. */
export const restrictedRoot = { ...restricted, runAsNonRoot: false, runAsUser: 0 }

/** A Service that the node answers on a fixed port, which kind maps to loopback. */
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
      metadata: { name, namespace },
      spec: { type: 'NodePort', selector, ports: [{ name: 'http', port, targetPort, nodePort }] },
    },
    options,
  )
}

/** Annotations that change with the files that a pod mounts: a changed program gets new pods, as it would not by itself. */
export const startedWith = (files: Record<string, string>): Record<string, string> => ({
  'checksum/files': createHash('sha256').update(JSON.stringify(files)).digest('hex'),
})
