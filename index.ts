// Tetragon Lab: what stands up, in the order of the diagram in the README. Each part is a file in stacks/.
import { Guestbook } from './stacks/application/guestbook.ts'
import { Traffic } from './stacks/application/traffic.ts'
import { Visitor } from './stacks/application/visitor.ts'
import { Cluster } from './stacks/cluster.ts'
import { readLab } from './stacks/lab.ts'
import { Grafana } from './stacks/monitoring/grafana.ts'
import { Loki } from './stacks/monitoring/loki.ts'
import { Prometheus } from './stacks/monitoring/prometheus.ts'
import { Shipper } from './stacks/monitoring/shipper.ts'
import { Tetragon } from './stacks/monitoring/tetragon.ts'
import { makeNamespaces } from './stacks/namespaces.ts'
import { NetworkPolicies } from './stacks/network-policies.ts'
import { describeOutputs } from './stacks/outputs.ts'
import { Policies } from './stacks/policies.ts'

const lab = await readLab()

// A KinD node that sees the machine's processes; whatever follows lives in it and goes with it.
const cluster = new Cluster('cluster', { lab })
const inside = cluster.inside()
const { application, monitoring } = makeNamespaces(inside)
new NetworkPolicies('network', { lab, spaces: { application, monitoring } }, inside)

// What is watched.
new Guestbook('guestbook', { lab, namespace: application }, inside)
if (lab.settings.traffic.enabled) new Traffic('traffic', { lab, namespace: application }, inside)
new Visitor('visitor', { lab, namespace: application }, inside)

// What watches: kernel events and metrics, or their recording.
const tetragon = new Tetragon('tetragon', { lab, namespace: monitoring }, inside)
new Policies('policies', { lab, tetragon: tetragon.release, namespace: application }, inside)

// Where it is kept and looked at. Side by side: none waits for another.
new Prometheus('prometheus', { lab, namespace: monitoring }, inside)
new Loki('loki', { lab, namespace: monitoring }, inside)
new Shipper('shipper', { lab, namespace: monitoring }, inside)
new Grafana('grafana', { lab, namespace: monitoring }, inside)

export const { addresses, source, grafanaUser } = describeOutputs(lab)
