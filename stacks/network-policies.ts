import * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../shared/lab.ts'
import { namespaces, podSubnet, releases } from '../shared/names.ts'
import type { Settings } from '../shared/settings/schema.ts'
import { gossipPort } from './monitoring/grafana/replicas.ts'
import type { Namespaces } from './namespaces.ts'

// Allowed connections. In both namespaces, everything else is denied. kind's network enforces this; another cluster's
// may not. The kubelet's probes are always allowed. No policy may select a Pod on the node's network (see below).

type Labels = Record<string, string>
type Peer = k8s.types.input.networking.v1.NetworkPolicyPeer
type Spec = k8s.types.input.networking.v1.NetworkPolicySpec

/** A NetworkPolicy as data, before it becomes a resource. */
export interface NetworkPolicy {
  namespace: string
  name: string
  spec: Spec
}

/** Pods of a namespace with these labels; without labels, all of them. */
interface Pods {
  namespace: string
  labels: Labels
}
/** Clients that are not the lab's Pods, such as a program on this machine, whose connections arrive through the node. */
const outside = 'outside'
/** The same for what an ingress controller publishes. */
const browsers = 'browsers'
type Clients = typeof outside | typeof browsers

/** Allowed connections to some ports. */
interface Edge {
  from: (Pods | Clients)[]
  ports: number[]
  /** TCP alone, unless given. */
  protocols?: ('TCP' | 'UDP')[]
}

/** A workload, and the connections to it that are allowed. */
interface Destination {
  to: Pods
  edges: Edge[]
}

const application = (labels: Labels): Pods => ({ namespace: namespaces.application, labels })
/** Selects by release too, because an existing cluster may have the same chart in this namespace. */
const monitoring = (name: string, instance: string = name): Pods => ({
  namespace: namespaces.monitoring,
  labels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': instance },
})

const everyPod = application({})
const frontend = application({ app: 'guestbook', tier: 'frontend' })
const leader = application({ app: 'redis', role: 'leader' })
const follower = application({ app: 'redis', role: 'follower' })
const traffic = application({ app: 'traffic' })
const prometheus = monitoring('prometheus', `${releases.prometheus}-prometheus`)
const operator = monitoring(`${releases.prometheus}-prometheus-operator`, releases.prometheus)
const stateMetrics = monitoring('kube-state-metrics', releases.prometheus)
const loki = monitoring(releases.loki)
const grafana = monitoring(releases.grafana)
/** The Job that `lab policy kustomize --check` writes, which asks Prometheus what the agents have loaded. */
const policyCheck: Pods = { namespace: namespaces.monitoring, labels: { 'app.kubernetes.io/name': 'check-agents' } }
const gateway = monitoring(releases.otel, releases.otelGateway)

/**
 * The Pods on the node's network, by `app.kubernetes.io/name`. NetworkPolicies should not apply to them, but kindnet of
 * kind 0.32 applies them to the node's own address (kubernetes-sigs/kube-network-policies#380): the node's answers to
 * other Pods are then dropped.
 */
export const hostNetworkPods = ['tetragon', 'tetragon-replay', 'prometheus-node-exporter']

/** Returns the allowed connections to each workload. */
function allowedConnections({ settings }: Pick<Lab, 'settings'>): Record<string, Destination> {
  const otel = settings.pipeline.shipper === 'otel'
  const shipper = monitoring(otel ? releases.otel : releases.fluentBit)
  const hasGateway = settings.pipeline.gateway.replicas > 0
  const generators = settings.guestbook.enabled ? [traffic] : []
  return {
    ...(settings.guestbook.enabled && applicationConnections(settings)),
    // Browsers and Grafana send queries. k6 pushes its metrics, and students' labs push progress through the node.
    prometheus: { to: prometheus, edges: [{ from: [outside, grafana, policyCheck, ...generators], ports: [9090] }] },
    'prometheus-operator': { to: operator, edges: [{ from: [prometheus], ports: [8080] }] },
    'kube-state-metrics': { to: stateMetrics, edges: [{ from: [prometheus], ports: [8080] }] },
    // The shipper sends events, Grafana and `lab query` send queries, and Prometheus scrapes. Loki also connects to
    // itself: several replicas also to find each other, and to the caches, which have the same labels.
    loki: {
      to: loki,
      edges: [
        { from: [outside, hasGateway ? gateway : shipper, grafana, prometheus], ports: [3100] },
        { from: [loki], ports: settings.loki.mode === 'ha' ? [9095, 7946, 11211] : [9095] },
      ],
    },
    // Several replicas tell each other which notifications they have sent.
    grafana: {
      to: grafana,
      edges: [
        { from: [browsers], ports: [3000] },
        ...(settings.grafana.replicas > 1
          ? [{ from: [grafana], ports: [gossipPort], protocols: ['TCP' as const, 'UDP' as const] }]
          : []),
      ],
    },
    // Prometheus scrapes the shipper. Nothing else connects to it.
    shipper: { to: shipper, edges: [{ from: [prometheus], ports: [otel ? 8888 : 2020] }] },
    ...(hasGateway && {
      gateway: {
        to: gateway,
        edges: [
          { from: [shipper], ports: [4318] },
          { from: [prometheus], ports: [8888] },
        ],
      },
    }),
  }
}

/** Returns the allowed connections to the application. */
function applicationConnections(settings: Settings): Record<string, Destination> {
  const original = settings.guestbook.images === 'upstream'
  return {
    // The page is open to browsers and to every Pod of the application namespace. Prometheus scrapes the metrics, which
    // the original image does not have.
    frontend: {
      to: frontend,
      edges: [
        { from: [browsers, everyPod], ports: [original ? 80 : 8080] },
        ...(original ? [] : [{ from: [prometheus], ports: [9113] }]),
      ],
    },
    // Frontends write to the leader, and followers replicate from it.
    'redis-leader': { to: leader, edges: [{ from: [frontend, follower], ports: [6379] }] },
    // Frontends read from followers.
    'redis-follower': { to: follower, edges: [{ from: [frontend], ports: [6379] }] },
  }
}

/** Returns all NetworkPolicies of a lab; none if `cluster.networkPolicies` is off. */
export function networkPolicies(lab: Pick<Lab, 'settings'>): NetworkPolicy[] {
  const { settings } = lab
  if (!settings.cluster.networkPolicies) return []
  const all = [
    // Denies what no other policy allows. An existing cluster has other Pods, so there only the lab's Pods are
    // restricted.
    ...(settings.cluster.mode === 'existing' ? [] : [defaultDeny(namespaces.application), monitoringDefaultDeny]),
    ...Object.entries(allowedConnections(lab)).map(([name, { to, edges }]) => ({
      namespace: to.namespace,
      name,
      spec: {
        podSelector: { matchLabels: to.labels },
        policyTypes: ['Ingress'],
        ingress: edges.map(({ from, ports, protocols = ['TCP'] }) => ({
          ...sources(from, to.namespace, settings),
          ports: protocols.flatMap(protocol => ports.map(port => ({ protocol, port }))),
        })),
      },
    })),
    ...egress(settings),
  ]
  return all.filter(({ namespace }) => settings.guestbook.enabled || namespace !== namespaces.application)
}

const defaultDeny = (namespace: string, podSelector: Spec['podSelector'] = {}): NetworkPolicy => ({
  namespace,
  name: 'default-deny',
  spec: { podSelector, policyTypes: ['Ingress'] },
})

const monitoringDefaultDeny = defaultDeny(namespaces.monitoring, {
  matchExpressions: [{ key: 'app.kubernetes.io/name', operator: 'NotIn', values: hostNetworkPods }],
})

/**
 * Returns policies that let the application connect only to itself and to the cluster's DNS, so that an intruder cannot
 * connect to the internet. k6 can also push to Prometheus. In an existing cluster nothing is restricted, because its
 * DNS can be anywhere.
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
  // Where the settings name no clients, anyone can connect.
  if (from.some(isClients) && !namesClients(cluster)) return {}
  return { from: from.flatMap(who => (isClients(who) ? clientPeers(who, cluster) : [peer(who, namespace)])) }
}

const isClients = (who: Pods | Clients): who is Clients => typeof who === 'string'

/** Returns whether the addresses of clients are known: those of a KinD cluster are. */
const namesClients = ({ mode, clients }: Settings['cluster']): boolean =>
  mode === 'create' || clients.namespaces.length + clients.networks.length > 0

function clientPeers(who: Clients, { mode, clients }: Settings['cluster']): Peer[] {
  if (mode === 'create') return [{ ipBlock: { cidr: '0.0.0.0/0', except: [podSubnet] } }]
  const ingressControllers = who === browsers ? clients.namespaces : []
  return [
    ...ingressControllers.map(name => ({
      namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
    })),
    ...clients.networks.map(cidr => ({ ipBlock: { cidr } })),
  ]
}

/** Returns a peer that selects Pods, in a policy of the given namespace. */
const peer = (pods: Pods, namespace: string): Peer => ({
  ...(pods.namespace === namespace
    ? {}
    : { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': pods.namespace } } }),
  podSelector: { matchLabels: pods.labels },
})

/**
 * Returns CiliumNetworkPolicies for the clients that Cilium's NetworkPolicies cannot name by an address: the nodes and
 * the API server, through which `kubectl` and `lab up` connect. None where anyone can connect.
 */
export function ciliumPolicies(lab: Pick<Lab, 'settings'>): { namespace: string; name: string; spec: object }[] {
  const { cluster } = lab.settings
  if (!cluster.networkPolicies || cluster.cni !== 'cilium' || !namesClients(cluster)) return []
  return Object.entries(allowedConnections(lab)).flatMap(([name, { to, edges }]) => {
    const ports = edges.filter(({ from }) => from.some(isClients)).flatMap(edge => edge.ports)
    if (ports.length === 0) return []
    const toPorts = [{ ports: ports.map(port => ({ port: `${port}`, protocol: 'TCP' })) }]
    const spec = {
      endpointSelector: { matchLabels: to.labels },
      ingress: [{ fromEntities: ['host', 'remote-node', 'kube-apiserver'], toPorts }],
    }
    return { namespace: to.namespace, name: `${name}-from-nodes`, spec }
  })
}

/** Arguments of the NetworkPolicies component. */
export interface NetworkPoliciesArgs {
  lab: Lab
  /** The namespaces of the policies, created before them. */
  spaces: Namespaces
}

/** The NetworkPolicies of both namespaces. */
export class NetworkPolicies extends pulumi.ComponentResource {
  constructor(name: string, { lab, spaces }: NetworkPoliciesArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:network:NetworkPolicies', name, {}, options)
    for (const policy of networkPolicies(lab))
      new k8s.networking.v1.NetworkPolicy(
        `${name}-${policy.namespace}-${policy.name}`,
        { metadata: { name: policy.name, namespace: policy.namespace }, spec: policy.spec },
        { parent: this, dependsOn: spaces[policy.namespace as keyof typeof spaces] },
      )
    for (const { namespace, name: of, spec } of ciliumPolicies(lab))
      new k8s.apiextensions.CustomResource(
        `${name}-${namespace}-${of}`,
        { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name: of, namespace }, spec },
        { parent: this, dependsOn: spaces[namespace as keyof typeof spaces] },
      )
    this.registerOutputs({})
  }
}
