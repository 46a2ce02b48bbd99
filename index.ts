// The lab, in the order of the diagram in docs/first-steps.md. Each component has a file in stacks/.
import * as pulumi from '@pulumi/pulumi'
import { prepareProgram } from './scripts/pulumi/prepare-program.ts'
import { Guestbook } from './stacks/application/guestbook.ts'
import { Traffic } from './stacks/application/traffic.ts'
import { Visitor } from './stacks/application/visitor.ts'
import { PriorityClasses } from './stacks/availability.ts'
import { Cluster } from './stacks/cluster.ts'
import { Grafana } from './stacks/monitoring/grafana/grafana.ts'
import { Loki } from './stacks/monitoring/loki/loki.ts'
import { Prometheus } from './stacks/monitoring/prometheus/prometheus.ts'
import { Shipper } from './stacks/monitoring/shipper.ts'
import { Tetragon } from './stacks/monitoring/tetragon.ts'
import { createNamespaces } from './stacks/namespaces.ts'
import { NetworkPolicies } from './stacks/network-policies.ts'
import { stackOutputs } from './stacks/outputs.ts'
import { Policies } from './stacks/policies.ts'

const lab = await prepareProgram(pulumi.runtime.allConfig(), {
  stack: pulumi.getStack(),
  preview: pulumi.runtime.isDryRun(),
})

// A kind node that sees the host's processes. Everything below runs in it and is deleted with it.
const cluster = new Cluster('cluster', { lab })
const inside = cluster.inside()
const { application, monitoring } = createNamespaces(lab, inside)
new NetworkPolicies('network', { lab, spaces: { application, monitoring } }, inside)
if (lab.settings.cluster.priorityClasses) new PriorityClasses('priorities', inside)

// The observed application.
if (application) {
  new Guestbook('guestbook', { lab, namespace: application }, inside)
  if (lab.settings.traffic.enabled) new Traffic('traffic', { lab, namespace: application }, inside)
  new Visitor('visitor', { lab, namespace: application }, inside)
}

// Kernel events and metrics, from the agent or from a recording.
const tetragon = new Tetragon('tetragon', { lab, namespace: monitoring }, inside)
new Policies('policies', { lab, tetragon: tetragon.release, namespace: application ?? monitoring }, inside)

// Storage and dashboards. They install in parallel.
new Prometheus('prometheus', { lab, namespace: monitoring, node: cluster.node }, inside)
new Loki('loki', { lab, namespace: monitoring }, inside)
new Shipper('shipper', { lab, namespace: monitoring }, inside)
new Grafana('grafana', { lab, namespace: monitoring }, inside)

export const { addresses, source, kubeconfig, grafanaUser, grafanaPassword } = stackOutputs(lab)
