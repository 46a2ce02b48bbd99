import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Settings } from '../shared/settings/schema.ts'

// What keeps a component running while a node is drained, full or lost. One replica needs none of it.

type Labels = Record<string, string>

/** How many replicas may be down on purpose, as while a node is drained. */
export const maxUnavailable = 1

/**
 * Returns constraints that put the replicas with these labels on different nodes and spread them over the zones. A node
 * whose taints keep them away, such as one of the control plane, does not count.
 */
export function topologySpread({ cluster }: Settings, matchLabels: Labels) {
  const over = (topologyKey: string, whenUnsatisfiable: 'DoNotSchedule' | 'ScheduleAnyway') => ({
    topologyKey,
    maxSkew: 1,
    whenUnsatisfiable,
    nodeTaintsPolicy: 'Honor',
    labelSelector: { matchLabels },
  })
  return [
    over('kubernetes.io/hostname', 'DoNotSchedule'),
    over('topology.kubernetes.io/zone', cluster.zoneSpread === 'required' ? 'DoNotSchedule' : 'ScheduleAnyway'),
  ]
}

/** The classes of the lab's pods: those on every node, which see what happens there, and those that store it. */
const priorities = {
  node: { value: 900_000_000, preemptionPolicy: 'PreemptLowerPriority' },
  // Ahead in the queue, but no pod of yours is evicted for it.
  storage: { value: 800_000_000, preemptionPolicy: 'Never' },
} as const
type Priority = keyof typeof priorities

/**
 * Returns a chart's value that lets the shipper run wherever the agent does: in a cluster of several nodes, some have
 * taints.
 */
export const everyNode = ({ cluster }: Settings): { tolerations?: { operator: string }[] } =>
  cluster.mode === 'existing' ? { tolerations: [{ operator: 'Exists' }] } : {}

/** Returns a chart's value for the priority class of a component; nothing if the settings have no classes. */
export const priorityClass = ({ cluster }: Settings, of: Priority): { priorityClassName?: string } =>
  cluster.priorityClasses ? { priorityClassName: className(of) } : {}

/**
 * Returns a chart's value that updates a DaemonSet on the configured percentage of the nodes at a time; nothing for one
 * node at a time, which is the default of Kubernetes and takes longer than Helm waits in a large cluster.
 */
export const updateStrategy = ({ tetragon }: Settings) =>
  tetragon.updatePercent === 0
    ? {}
    : { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: `${tetragon.updatePercent}%` } } }

const className = (of: Priority): string => `tetragon-lab-${of}`

/** The priority classes of the lab's pods. */
export class PriorityClasses extends pulumi.ComponentResource {
  constructor(name: string, options: pulumi.ComponentResourceOptions) {
    super('lab:cluster:PriorityClasses', name, {}, options)
    for (const [of, { value, preemptionPolicy }] of Object.entries(priorities))
      new k8s.scheduling.v1.PriorityClass(
        `${name}-${of}`,
        {
          metadata: { name: className(of as Priority) },
          value,
          preemptionPolicy,
          description: `Pods of Tetragon Lab: ${of}`,
        },
        { parent: this },
      )
    this.registerOutputs({})
  }
}
