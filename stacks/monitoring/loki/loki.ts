import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../../shared/lab.ts'
import { namespaces, nodePorts, releases } from '../../../shared/names.ts'
import type { ComponentArgs } from '../../component-args.ts'
import { nodePortService, notAwaited } from '../../pods.ts'
import { release, type Values } from '../../release.ts'
import { highlyAvailableLoki, lokiLabels } from './ha.ts'
import { ObjectStorageCheck } from './object-storage-check.ts'
import { singleLoki } from './single.ts'
import { readyLoki } from './url.ts'

/** Loki: one with its own volume, or several with a bucket, whose credentials are tried first. */
export class Loki extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:monitoring:Loki', name, {}, options)
    const { loki, cluster } = lab.settings
    const inNamespace = { parent: this, dependsOn: namespace }
    const check =
      loki.mode === 'ha' && new ObjectStorageCheck(`${name}-object-storage`, { lab, namespace }, inNamespace)
    release(
      releases.loki,
      { lab, chart: 'loki', values: lokiValues(lab) },
      { parent: this, dependsOn: check ? [namespace, check] : namespace },
    )
    if (cluster.mode === 'create') nodeVolume(`${name}-volume`, loki.storage, { parent: this })
    if (loki.mode === 'ha') readyLokiService(`${name}-ready`, inNamespace)
    if (cluster.mode === 'create')
      nodePortService(
        `${name}-node-port`,
        {
          namespace: namespaces.monitoring,
          selector: { 'app.kubernetes.io/name': 'loki', 'app.kubernetes.io/component': 'single-binary' },
          port: 3100,
          targetPort: 3100,
          nodePort: nodePorts.loki,
        },
        inNamespace,
      )
    this.registerOutputs({})
  }
}

/**
 * Creates Loki's volume, a folder of the kind node. The provisioner in the node would create the same, but it has to
 * start first and then starts a Pod for it, all while Loki waits.
 */
function nodeVolume(name: string, storage: string, options: pulumi.CustomResourceOptions): void {
  new k8s.core.v1.PersistentVolume(
    name,
    {
      metadata: { name: 'loki' },
      spec: {
        capacity: { storage },
        accessModes: ['ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        storageClassName: '',
        claimRef: {
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          namespace: namespaces.monitoring,
          name: `storage-${releases.loki}-0`,
        },
        // The node's image has this folder, and nothing else uses it.
        local: { path: '/var/local' },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'Exists' }] }],
          },
        },
      },
    },
    options,
  )
}

/** The chart's Service also has the addresses of replicas that are not ready, such as those on a node that was lost. */
function readyLokiService(name: string, options: pulumi.CustomResourceOptions): void {
  new k8s.core.v1.Service(
    name,
    {
      metadata: { name: readyLoki.name, namespace: namespaces.monitoring, annotations: notAwaited },
      spec: { selector: lokiLabels, ports: [{ name: 'http', port: readyLoki.port, targetPort: 'http-metrics' }] },
    },
    options,
  )
}

/** Returns the values of the Loki chart. Its defaults need object storage, 3 replicas and 11 GiB of caches. */
export const lokiValues = (lab: Lab): Values =>
  (lab.settings.loki.mode === 'ha' ? highlyAvailableLoki : singleLoki)(lab)
