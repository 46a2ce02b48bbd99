// Names and addresses are fixed, because a class follows a written text.

/** Kubernetes namespaces. */
export const namespaces = { application: 'application', monitoring: 'monitoring' } as const

/** Returns the namespaces that a lab with these settings has. */
export const labNamespaces = ({ guestbook }: { guestbook: { enabled: boolean } }): (keyof typeof namespaces)[] =>
  guestbook.enabled ? [namespaces.application, namespaces.monitoring] : [namespaces.monitoring]

/** Helm release names. The objects of a chart are named after its release. */
export const releases = {
  tetragon: 'tetragon',
  prometheus: 'kube-prometheus-stack',
  loki: 'loki',
  grafana: 'grafana',
  otel: 'opentelemetry-collector',
  otelGateway: 'opentelemetry-collector-gateway',
  fluentBit: 'fluent-bit',
} as const

/** The resource that creates the CRDs of the release `prometheus`. */
export const prometheusCrds = 'prometheus-crds'

/** Grafana data source uids: the contract between the dashboards and what is deployed. */
export const dataSources = { prometheus: 'prometheus', loki: 'loki' } as const

/** Ports on the node that kind maps to loopback. Tetragon's is a host port of the agent itself. */
export const nodePorts = { guestbook: 30080, grafana: 30300, prometheus: 30090, loki: 30310, tetragon: 2112 } as const

/** Addresses inside the cluster. */
export const services = {
  prometheus: `http://${releases.prometheus}-prometheus.${namespaces.monitoring}.svc:9090`,
  loki: `http://${releases.loki}.${namespaces.monitoring}.svc:3100`,
  guestbook: `http://frontend.${namespaces.application}.svc`,
} as const

/** Pod addresses in a KinD cluster: kind's default, written out because policies name it. */
export const podSubnet = '10.244.0.0/16'

/** Service addresses in a KinD cluster: kind's default. */
export const serviceSubnet = '10.96.0.0/16'

/**
 * The event file on the node: written by Tetragon or the replay, read by the shipper. A rotated file has a time in its
 * name, which the pattern matches too.
 */
export const exportFile = { directory: '/var/log/tetragon', name: 'tetragon.log', pattern: 'tetragon*.log' } as const

/** Folders on the node for each shipper's checkpoint and queue, so that a new Pod continues where the old one stopped. */
export const shipperStorage = { otel: '/var/lib/otelcol', fluentBit: '/var/lib/fluent-bit' } as const

/** The label on everything that the lab creates in Docker. */
export const dockerLabel = 'io.tetragon-lab'
