import { local } from '@pulumi/command'
import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import { stringify } from 'yaml'
import type { ClusterSpec } from '../shared/cluster-spec.ts'
import { providerKubeconfig } from '../shared/kubeconfig.ts'
import type { Lab } from '../shared/lab.ts'
import { imagesOf } from '../shared/lab-images.ts'
import { kindConfig, nodeDigest } from './kind-config.ts'
import { scriptCommand } from './script-command.ts'

/** Arguments of the Cluster component. */
export interface ClusterArgs {
  lab: Lab
}

/**
 * The cluster that everything else runs in: a kind node that sees the host's `/proc` at `/procHost`, or, with
 * `cluster.mode: existing`, a context of the user's kubeconfig. In the latter case nothing on the machine changes.
 */
export class Cluster extends pulumi.ComponentResource {
  /** The created node. Absent for an existing cluster. */
  readonly node?: local.Command
  readonly provider: k8s.Provider

  constructor(name: string, { lab }: ClusterArgs, options?: pulumi.ComponentResourceOptions) {
    super('lab:cluster:Cluster', name, {}, options)
    const { settings } = lab
    if (settings.cluster.mode === 'existing') {
      this.provider = new k8s.Provider(
        `${name}-provider`,
        { kubeconfig: '', context: settings.cluster.context, upsertExistingObjects: true },
        { parent: this },
      )
    } else {
      const spec: ClusterSpec = {
        name: settings.cluster.name,
        config: stringify(kindConfig(settings)),
        nodeImage: lab.lock.nodeImage,
        images: imagesOf(lab).map(image => lab.lock.images[image]),
      }
      this.node = new local.Command(
        `${name}-node`,
        {
          create: 'node scripts/cluster/resource-command.ts ensure',
          update: 'node scripts/cluster/resource-command.ts ensure',
          delete: 'node scripts/cluster/resource-command.ts delete',
          ...scriptCommand(spec),
          // A node cannot be reconfigured, only replaced.
          triggers: [nodeDigest(lab)],
        },
        { parent: this, deleteBeforeReplace: true, customTimeouts: { create: '20m', update: '20m' } },
      )
      this.provider = new k8s.Provider(
        `${name}-provider`,
        {
          kubeconfig: providerKubeconfig(),
          // The name selects this cluster and no other. The node's output makes the provider wait until the node
          // exists.
          context: this.node.stdout.apply(() => `kind-${settings.cluster.name}`),
          clusterIdentifier: settings.cluster.name,
          // Adopts resources that an interrupted `up` created but did not record.
          upsertExistingObjects: true,
          // Updates a changed dashboard in place, under its name.
          enableConfigMapMutable: true,
        },
        { parent: this, deletedWith: this.node },
      )
    }
    this.registerOutputs({})
  }

  /**
   * Returns options for a component in this cluster. It is deleted with the node, so `destroy` only has to delete the
   * node. Children inherit the options.
   */
  inside(more: pulumi.ComponentResourceOptions = {}): pulumi.ComponentResourceOptions {
    return { providers: { kubernetes: this.provider }, deletedWith: this.node, ...more }
  }
}
