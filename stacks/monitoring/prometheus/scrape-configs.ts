import { namespaces, releases } from '../../../shared/names.ts'
import type { Settings } from '../../../shared/settings/schema.ts'

interface Relabel {
  source_labels?: string[]
  regex?: string
  action?: string
  target_label?: string
  replacement?: string
}

/**
 * Returns the scrape configurations for Tetragon, the shipper, Loki and the Guestbook. The chart adds the cluster's
 * own.
 */
export function scrapeConfigs({ cluster, prometheus, pipeline, guestbook }: Settings) {
  const keep = (labels: string[], regex: string): Relabel => ({ source_labels: labels, regex, action: 'keep' })
  const take = (from: string, to: string): Relabel => ({ source_labels: [from], target_label: to })
  const pod = '__meta_kubernetes_pod_name'
  const endpoints = (job: string, namespace: string, service: string, port: string, more: Relabel[], options = {}) => ({
    job_name: job,
    ...options,
    kubernetes_sd_configs: [{ role: 'endpointslice', namespaces: { names: [namespace] } }],
    relabel_configs: [
      keep(['__meta_kubernetes_service_name', '__meta_kubernetes_endpointslice_port_name'], `${service};${port}`),
      ...more,
    ],
  })
  const pods = (job: string, namespace: string, name: string, port: number | string, path = '/metrics') => ({
    job_name: job,
    metrics_path: path,
    kubernetes_sd_configs: [{ role: 'pod', namespaces: { names: [namespace] } }],
    relabel_configs: [
      keep(
        ['__meta_kubernetes_pod_label_app_kubernetes_io_name', '__meta_kubernetes_pod_container_port_number'],
        `${name};${port}`,
      ),
      take(pod, 'pod'),
      take('__meta_kubernetes_namespace', 'namespace'),
    ],
  })
  const shipper = pods(releases.otel, namespaces.monitoring, releases.otel, 8888)
  const collectors = pipeline.gateway.replicas > 0 ? withGateway(shipper) : [shipper]
  return [
    // Tetragon's labels `pod` and `namespace` are the workload's, so the agent's own pod is `tetragon_pod`.
    endpoints(
      'tetragon',
      namespaces.monitoring,
      'tetragon',
      'metrics',
      [
        take(pod, 'tetragon_pod'),
        take('__meta_kubernetes_endpointslice_endpoint_topology_kubernetes_io_hostname', 'host'),
        take('__meta_kubernetes_pod_node_name', 'node'),
      ],
      {
        honor_labels: true,
        // On one node these are a few hundred series, and a student who tries a policy waits for them.
        ...(cluster.mode === 'create' && { scrape_interval: shorter('5s', prometheus.scrapeInterval) }),
      },
    ),
    endpoints('loki', namespaces.monitoring, releases.loki, 'http-metrics', [take(pod, 'pod')]),
    ...collectors,
    pods(releases.fluentBit, namespaces.monitoring, releases.fluentBit, 2020, '/api/v2/metrics/prometheus'),
    ...(guestbook.enabled ? [pods('guestbook', namespaces.application, 'frontend', 9113)] : []),
  ]
}

/** Returns the shorter of two intervals in whole seconds, such as `5s`. */
const shorter = (one: string, other: string): string =>
  Number.parseInt(one, 10) < Number.parseInt(other, 10) ? one : other

/** A scrape configuration of the shipper. */
interface ScrapeConfig {
  job_name: string
  relabel_configs: Relabel[]
}

/**
 * Returns the scrape configurations of the shipper and of the gateway, whose pods have the same name. An event passes
 * both, so what the shipper sends and what the gateway receives get other names. Dashboards and alerts count what the
 * shipper reads and what the gateway delivers.
 */
function withGateway(shipper: ScrapeConfig): (ScrapeConfig & { metric_relabel_configs: Relabel[] })[] {
  const only = (instance: string): Relabel => ({
    source_labels: ['__meta_kubernetes_pod_label_app_kubernetes_io_instance'],
    regex: instance,
    action: 'keep',
  })
  const rename = (metric: string, name: string): Relabel => ({
    source_labels: ['__name__'],
    regex: `${metric}(_total)?`,
    target_label: '__name__',
    replacement: `${name}$1`,
  })
  const job = (name: string, renamed: Relabel) => ({
    ...shipper,
    job_name: name,
    relabel_configs: [only(name), ...shipper.relabel_configs],
    metric_relabel_configs: [renamed],
  })
  return [
    job(releases.otel, rename('otelcol_exporter_sent_log_records', 'shipper_sent_log_records')),
    job(releases.otelGateway, rename('otelcol_receiver_accepted_log_records', 'gateway_accepted_log_records')),
  ]
}
