import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../shared/lab.ts'
import { namespaces, podSubnet, releases } from '../shared/names.ts'
import type { Settings } from '../shared/settings/schema.ts'

// Who may connect to whom. In both namespaces nobody may, but for the edges below; the network of a KinD cluster enforces it, another may not.
// Kubernetes lets the kubelet in on its own: probes need no edge. A pod on the node's own network (Tetragon, the replay, node-exporter) is no
// pod to a NetworkPolicy: it is reached as the node is.

type Labels = Record<string, string>
type Peer = k8s.types.input.networking.v1.NetworkPolicyPeer
type Spec = k8s.types.input.networking.v1.NetworkPolicySpec

/** A NetworkPolicy before it is a resource. */
export interface NetworkPolicy {
  namespace: string
  name: string
  spec: Spec
}

/** Pods of a namespace: those with these labels, or all. */
interface Pods {
  namespace: string
  labels: Labels
}
/** Whoever is not a pod: a browser on this machine, by way of the node. */
const outside = 'outside'

/** A connection that may be made. */
interface Edge {
  from: (Pods | typeof outside)[]
  ports: number[]
}

const application = (labels: Labels): Pods => ({ namespace: namespaces.application, labels })
/** By release too: in a cluster of the user's own another may be in the same namespace. */
const monitoring = (name: string, instance: string = name): Pods => ({
  namespace: namespaces.monitoring,
  labels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': instance },
})

const everybody = application({})
const frontend = application({ app: 'guestbook', tier: 'frontend' })
const leader = application({ app: 'redis', role: 'leader' })
const follower = application({ app: 'redis', role: 'follower' })
const traffic = application({ app: 'traffic' })
const prometheus = monitoring('prometheus', `${releases.prometheus}-prometheus`)
const operator = monitoring(`${releases.prometheus}-prometheus-operator`, releases.prometheus)
const stateMetrics = monitoring('kube-state-metrics', releases.prometheus)
const loki = monitoring(releases.loki)
const grafana = monitoring(releases.grafana)

/** Who is connected to, by whom, and why. */
function edges({ settings }: Pick<Lab, 'settings'>): Record<string, { to: Pods; edges: Edge[] }> {
  const otel = settings.pipeline.shipper === 'otel'
  const shipper = monitoring(otel ? releases.otel : releases.fluentBit)
  const original = settings.guestbook.images === 'upstream'
  return {
    // The page, for everybody: people on this machine, the traffic, the visitor, and whatever pod somebody starts beside them. Its metrics are for
    // Prometheus; the original image has none.
    frontend: {
      to: frontend,
      edges: [
        { from: [outside, everybody], ports: [original ? 80 : 8080] },
        ...(original ? [] : [{ from: [prometheus], ports: [9113] }]),
      ],
    },
    // What is written comes from the frontends; the followers copy it.
    'redis-leader': { to: leader, edges: [{ from: [frontend, follower], ports: [6379] }] },
    // What is read.
    'redis-follower': { to: follower, edges: [{ from: [frontend], ports: [6379] }] },
    // Looked at by people and asked by Grafana; k6 pushes its metrics, and a class its progress, by way of the teacher's machine.
    prometheus: { to: prometheus, edges: [{ from: [outside, grafana, traffic], ports: [9090] }] },
    // Read by Prometheus.
    'prometheus-operator': { to: operator, edges: [{ from: [prometheus], ports: [8080] }] },
    // Read by Prometheus.
    'kube-state-metrics': { to: stateMetrics, edges: [{ from: [prometheus], ports: [8080] }] },
    // Given events by the shipper, asked by Grafana and by `lab query`, read by Prometheus. Its parts talk to each other through its own Service.
    loki: {
      to: loki,
      edges: [
        { from: [outside, shipper, grafana, prometheus], ports: [3100] },
        { from: [loki], ports: [9095] },
      ],
    },
    // Looked at by people.
    grafana: { to: grafana, edges: [{ from: [outside], ports: [3000] }] },
    // Nothing is sent to a shipper: it fetches. Prometheus reads how it fares.
    shipper: { to: shipper, edges: [{ from: [prometheus], ports: [otel ? 8888 : 2020] }] },
  }
}

/** All policies of a lab; none where `cluster.networkPolicies` is off. */
export function networkPolicies(lab: Pick<Lab, 'settings'>): NetworkPolicy[] {
  const { settings } = lab
  if (!settings.cluster.networkPolicies) return []
  return [
    // What no other policy allows is refused; in a cluster of the user's own, to the pods of the lab alone.
    ...(settings.cluster.mode === 'existing' ? [] : Object.values(namespaces)).map(namespace => ({
      namespace,
      name: 'default-deny',
      spec: { podSelector: {}, policyTypes: ['Ingress'] },
    })),
    ...Object.entries(edges(lab)).map(([name, { to, edges }]) => ({
      namespace: to.namespace,
      name,
      spec: {
        podSelector: { matchLabels: to.labels },
        policyTypes: ['Ingress'],
        ingress: edges.map(({ from, ports }) => ({
          ...sources(from, to.namespace, settings),
          ports: ports.map(port => ({ protocol: 'TCP', port })),
        })),
      },
    })),
    ...egress(settings),
  ]
}

/**
 * Where the application may connect to: itself, and the cluster's DNS. So what breaks into a pod there cannot call home. k6 may push to Prometheus.
 * In a cluster of the user's own nothing is held back, because its DNS may be anywhere.
 */
function egress(settings: Settings): NetworkPolicy[] {
  if (settings.cluster.mode === 'existing') return []
  const dns: Peer = {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
    podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
  }
  const policy = (name: string, labels: Labels, rules: Spec['egress']): NetworkPolicy => ({
    namespace: namespaces.application,
    name,
    spec: { podSelector: { matchLabels: labels }, policyTypes: ['Egress'], egress: rules },
  })
  return [
    policy('stays-inside', {}, [
      { to: [{ podSelector: {} }] },
      { to: [dns], ports: ['UDP', 'TCP'].map(protocol => ({ protocol, port: 53 })) },
    ]),
    policy('traffic-to-prometheus', traffic.labels, [
      { to: [peer(prometheus, namespaces.application)], ports: [{ protocol: 'TCP', port: 9090 }] },
    ]),
  ]
}

function sources(from: Edge['from'], namespace: string, { cluster }: Settings): { from?: Peer[] } {
  // In a cluster of the user's own it is not known where its pods are and where people come from.
  if (cluster.mode === 'existing' && from.includes(outside)) return {}
  const notPods: Peer = { ipBlock: { cidr: '0.0.0.0/0', except: [podSubnet] } }
  return { from: from.map(who => (who === outside ? notPods : peer(who, namespace))) }
}

/** Pods as a policy of that namespace names them. */
const peer = (pods: Pods, namespace: string): Peer => ({
  ...(pods.namespace === namespace
    ? {}
    : { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': pods.namespace } } }),
  podSelector: { matchLabels: pods.labels },
})

/** The policies as resources. */
export class NetworkPolicies extends pulumi.ComponentResource {
  constructor(
    name: string,
    { lab, spaces }: { lab: Lab; spaces: Record<'application' | 'monitoring', k8s.core.v1.Namespace> },
    options: pulumi.ComponentResourceOptions,
  ) {
    super('lab:network:NetworkPolicies', name, {}, options)
    for (const policy of networkPolicies(lab))
      new k8s.networking.v1.NetworkPolicy(
        `${name}-${policy.namespace}-${policy.name}`,
        { metadata: { name: policy.name, namespace: policy.namespace }, spec: policy.spec },
        { parent: this, dependsOn: spaces[policy.namespace as keyof typeof spaces] },
      )
    this.registerOutputs({})
  }
}
