import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as k8s from '@pulumi/kubernetes'
import type * as pulumi from '@pulumi/pulumi'
import { namespaces } from '../../shared/names.ts'
import { checksumAnnotations } from '../pods.ts'

const namespace = namespaces.application

/** Files in a Pod: the volume with them, named `files`, and their content, so that the Pod restarts when it changes. */
export interface MountedFiles {
  volumes: k8s.types.input.core.v1.Volume[]
  files: Record<string, string>
}

/** Creates a ConfigMap from files in a subfolder of this folder. The ConfigMap is named after the subfolder. */
export function mountFiles(
  name: string,
  folder: string,
  names: string[],
  options: pulumi.CustomResourceOptions,
): MountedFiles {
  const files = Object.fromEntries(
    names.map(file => [file, readFileSync(join(import.meta.dirname, folder, file), 'utf8')]),
  )
  const configMap = new k8s.core.v1.ConfigMap(name, { metadata: { name: folder, namespace }, data: files }, options)
  return { volumes: [{ name: 'files', configMap: { name: configMap.metadata.name } }], files }
}

/**
 * Returns the arguments of a Deployment in the application namespace, with one container per Pod.
 * @param pod files to mount, and whether the Pod gets a token for the API server
 */
export function deployment(
  name: string,
  labels: Record<string, string>,
  replicas: number,
  container: k8s.types.input.core.v1.Container,
  { volumes = [], files = {}, token = false }: Partial<MountedFiles> & { token?: boolean } = {},
): k8s.apps.v1.DeploymentArgs {
  return {
    metadata: { name, namespace, labels },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels, annotations: checksumAnnotations(files) },
        spec: {
          containers: [container],
          volumes,
          automountServiceAccountToken: token,
          // Kubernetes would set variables such as REDIS_LEADER_PORT to the address of each Service.
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 5,
        },
      },
    },
  }
}
