import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as k8s from '@pulumi/kubernetes'
import type * as pulumi from '@pulumi/pulumi'
import { namespaces } from '../../shared/names.ts'
import { startedWith } from '../pods.ts'

const namespace = namespaces.application

/** Files that a pod runs: the volume that holds them, named `files`, and their content, with which the pod changes. */
export interface Mounted {
  volumes: k8s.types.input.core.v1.Volume[]
  files: Record<string, string>
}

/** Puts files of this folder's `folder` into a ConfigMap of that name, for a pod to mount. */
export function mounted(name: string, folder: string, names: string[], options: pulumi.CustomResourceOptions): Mounted {
  const files = Object.fromEntries(
    names.map(file => [file, readFileSync(join(import.meta.dirname, folder, file), 'utf8')]),
  )
  const configMap = new k8s.core.v1.ConfigMap(name, { metadata: { name: folder, namespace }, data: files }, options)
  return { volumes: [{ name: 'files', configMap: { name: configMap.metadata.name } }], files }
}

/** A Deployment in `application` of one container a pod. `files` are what its volumes hold; `token` gives it one for the API server. */
export function deployment(
  name: string,
  labels: Record<string, string>,
  replicas: number,
  container: k8s.types.input.core.v1.Container,
  {
    volumes = [],
    files = {},
    token = false,
  }: { volumes?: k8s.types.input.core.v1.Volume[]; files?: Record<string, string>; token?: boolean } = {},
): k8s.apps.v1.DeploymentArgs {
  return {
    metadata: { name, namespace, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: startedWith(files) },
        spec: {
          containers: [container],
          volumes,
          automountServiceAccountToken: token,
          // Kubernetes would set REDIS_LEADER_PORT and its like to addresses, for every Service that is there.
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 5,
        },
      },
    },
  }
}
