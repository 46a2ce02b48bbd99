// Fixed names and addresses, everywhere the same: a class follows a text.

/** The Pulumi stack. */
export const stackName = 'dev'

/** Kubernetes namespaces. */
export const namespaces = { application: 'application', monitoring: 'monitoring' } as const

/** Helm release names; the objects that a chart makes are named after its release. */
export const releases = {
  tetragon: 'tetragon',
  prometheus: 'kube-prometheus-stack',
  loki: 'loki',
  grafana: 'grafana',
  otel: 'opentelemetry-collector',
  fluentBit: 'fluent-bit',
} as const

/** Grafana data source uids: the contract between the dashboards and what is deployed. */
export const dataSources = { prometheus: 'prometheus', loki: 'loki' } as const

/** Ports on the node that kind maps to loopback; Tetragon's is a host port of the agent itself. */
export const nodePorts = { guestbook: 30080, grafana: 30300, prometheus: 30090, loki: 30310, tetragon: 2112 } as const

/** Addresses inside the cluster. */
export const services = {
  prometheus: `http://${releases.prometheus}-prometheus.${namespaces.monitoring}.svc:9090`,
  loki: `http://${releases.loki}.${namespaces.monitoring}.svc:3100`,
  guestbook: `http://frontend.${namespaces.application}.svc`,
} as const

/** Addresses of the pods in a KinD cluster: kind's own choice, written out because policies name it. */
export const podSubnet = '10.244.0.0/16'

/** Addresses of the Services in a KinD cluster: kind's own choice too. */
export const serviceSubnet = '10.96.0.0/16'

/**
 * Where Tetragon, or the replay in its place, writes its events on the node: read by the shipper, written about in the docs. A file that is
 * full gets the time into its name; the pattern takes it in.
 */
export const exportFile = { directory: '/var/log/tetragon', name: 'tetragon.log', pattern: 'tetragon*.log' } as const

/** Every label that the lab puts on what it leaves in Docker. */
export const dockerLabel = 'io.tetragon-lab'
