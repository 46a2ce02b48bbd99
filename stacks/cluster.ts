import { createHash } from 'node:crypto'
import { local, types } from '@pulumi/command'
import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import { stringify } from 'yaml'
import type { ClusterSpec } from '../shared/cluster-spec.ts'
import type { Lab } from '../shared/lab.ts'
import { imagesOf } from '../shared/lab-images.ts'
import { imageRef, type LockedImage } from '../shared/lock.ts'
import { dockerLabel, nodePorts, podSubnet, serviceSubnet } from '../shared/names.ts'
import { labDir, labId, projectDir } from '../shared/paths.ts'
import type { Settings } from '../shared/settings/schema.ts'

/**
 * The kubeconfig is the one that `KUBECONFIG` names (`lab env`): nothing of it is kept in the state. Nor may it be given as a path, which is what
 * the provider takes by itself from `KUBECONFIG` where it is given none: of a path it makes a copy among the temporary files, keys and all, at each run,
 * and leaves it there.
 */
const fromEnvironment = ''

/**
 * The cluster that everything else lives in: a KinD node that sees the host's `/proc` at `/procHost`, or with `cluster.mode: existing`
 * a context of the user's kubeconfig, where nothing of the machine is touched.
 */
export class Cluster extends pulumi.ComponentResource {
  /** The node, created. Absent for an existing cluster. */
  readonly node?: local.Command
  readonly provider: k8s.Provider

  constructor(name: string, { lab }: { lab: Lab }, options?: pulumi.ComponentResourceOptions) {
    super('lab:cluster:Cluster', name, {}, options)
    const { settings } = lab
    if (settings.cluster.mode === 'existing') {
      this.provider = new k8s.Provider(
        `${name}-provider`,
        { kubeconfig: fromEnvironment, context: settings.cluster.context, upsertExistingObjects: true },
        { parent: this },
      )
    } else {
      const config = stringify(kindConfig(settings))
      const spec: ClusterSpec = {
        name: settings.cluster.name,
        config,
        nodeImage: lab.lock.nodeImage,
        images: imagesOf(lab).map(image => lab.lock.images[image]),
      }
      this.node = new local.Command(
        `${name}-node`,
        {
          create: 'node scripts/cluster/resource-command.ts ensure',
          update: 'node scripts/cluster/resource-command.ts ensure',
          delete: 'node scripts/cluster/resource-command.ts delete',
          dir: projectDir,
          stdin: JSON.stringify(spec),
          environment: { LAB_DIR: labDir() },
          // What a node is made with cannot change under it: a new node is the only way.
          triggers: [createHash('sha256').update(config).update(imageRef(spec.nodeImage)).digest('hex')],
          // Only progress goes to standard error. The kubeconfig is written to a file and never printed.
          logging: types.enums.local.Logging.Stderr,
          addPreviousOutputInEnv: false,
        },
        { parent: this, deleteBeforeReplace: true, customTimeouts: { create: '20m', update: '20m' } },
      )
      this.provider = new k8s.Provider(
        `${name}-provider`,
        {
          kubeconfig: fromEnvironment,
          // By name, so that no other cluster can be meant; through the node's output, so that nothing asks one that is not there yet.
          context: this.node.stdout.apply(() => `kind-${settings.cluster.name}`),
          clusterIdentifier: settings.cluster.name,
          // What an interrupted `up` made without writing it down is taken over by the next.
          upsertExistingObjects: true,
          // A changed dashboard is changed in place, under its name.
          enableConfigMapMutable: true,
        },
        { parent: this, deletedWith: this.node },
      )
    }
    this.registerOutputs({})
  }

  /**
   * Options for a component that lives in this cluster: it is gone when the node is gone, so destroying the node is enough.
   * Children inherit both.
   */
  inside(more: pulumi.ComponentResourceOptions = {}): pulumi.ComponentResourceOptions {
    return { providers: { kubernetes: this.provider }, deletedWith: this.node, ...more }
  }
}

/**
 * kind's configuration: one node (one kernel, one Tetragon), the host's `/proc`, and ports on loopback only.
 * kind listens on every interface unless told otherwise.
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
    nodes: [
      {
        role: 'control-plane',
        labels: { [dockerLabel]: 'node', [`${dockerLabel}/made-by`]: labId() },
        // Tetragon needs the processes of the machine, not of the container that plays the node.
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
