import { namespaces, releases } from '../../../shared/names.ts'

interface Relabel {
  source_labels?: string[]
  regex?: string
  action?: string
  target_label?: string
}

/**
 * Returns the scrape configurations for Tetragon, the shipper, Loki and the Guestbook. The chart adds the cluster's
 * own.
 */
export function scrapeConfigs() {
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
      { honor_labels: true },
    ),
    endpoints('loki', namespaces.monitoring, releases.loki, 'http-metrics', [take(pod, 'pod')]),
    pods(releases.otel, namespaces.monitoring, releases.otel, 8888),
    pods(releases.fluentBit, namespaces.monitoring, releases.fluentBit, 2020, '/api/v2/metrics/prometheus'),
    pods('guestbook', namespaces.application, 'frontend', 9113),
  ]
}
