import * as pulumi from '@pulumi/pulumi'
import { alertGroups } from '../../dashboards/alerts.ts'
import type { Lab } from '../../shared/lab.ts'
import { imageParts } from '../../shared/lock.ts'
import { namespaces, nodePorts, releases } from '../../shared/names.ts'
import type { ComponentArgs } from '../component-args.ts'
import { restricted } from '../pods.ts'
import { release, type Values } from '../release.ts'

/** Prometheus with its operator, kube-state-metrics and node-exporter. */
export class Prometheus extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:monitoring:Prometheus', name, {}, options)
    release(
      releases.prometheus,
      { lab, chart: 'kube-prometheus-stack', values: prometheusValues(lab) },
      { parent: this, dependsOn: namespace },
    )
    this.registerOutputs({})
  }
}

/**
 * Returns the values of kube-prometheus-stack: a small Prometheus, without the parts that are useless on one kind node.
 */
export function prometheusValues({ settings, lock }: Lab): Values {
  const { scrapeInterval, retention } = settings.prometheus
  const image = (name: PrometheusImage) => imageParts(lock.images[name])
  const off = { enabled: false }
  return {
    // Grafana has its own release, so that its version and plugins are pinned separately.
    grafana: off,
    alertmanager: off,
    // kubeadm binds their metrics to loopback inside the node, so their targets would always be down.
    kubeControllerManager: off,
    kubeScheduler: off,
    kubeEtcd: off,
    kubeProxy: off,
    prometheusOperator: {
      image: image('prometheus-operator'),
      prometheusConfigReloader: {
        image: image('prometheus-config-reloader'),
        resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '64Mi' } },
      },
      // Disable both: with TLS on, the operator waits for a secret that only the webhooks' hook creates.
      admissionWebhooks: off,
      tls: off,
      resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '192Mi' } },
    },
    prometheus: {
      service: { type: 'NodePort', nodePort: nodePorts.prometheus },
      prometheusSpec: {
        image: image('prometheus'),
        // The operator's own probe asks every 15 s.
        containers: [{ name: 'prometheus', startupProbe: { periodSeconds: 1, failureThreshold: 900 } }],
        retention,
        retentionSize: '1GB',
        scrapeInterval,
        evaluationInterval: scrapeInterval,
        // k6 pushes its metrics.
        enableRemoteWriteReceiver: true,
        // In a class, students' labs push their progress to the teacher's lab, as OTLP in JSON, which needs no library.
        enableOTLPReceiver: true,
        // Use the monitors and rules of every release.
        serviceMonitorSelectorNilUsesHelmValues: false,
        podMonitorSelectorNilUsesHelmValues: false,
        ruleSelectorNilUsesHelmValues: false,
        probeSelectorNilUsesHelmValues: false,
        scrapeConfigSelectorNilUsesHelmValues: false,
        resources: { requests: { cpu: '100m', memory: '400Mi' }, limits: { memory: '1Gi' } },
        // Not ServiceMonitors: other releases would have to wait for this release's CRDs.
        additionalScrapeConfigs: scrapeConfigs(),
      },
    },
    'kube-state-metrics': {
      image: image('kube-state-metrics'),
      resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
    },
    'prometheus-node-exporter': {
      // The tag in the lock file already ends in `-distroless`.
      image: { ...image('node-exporter'), distroless: false },
      // It runs in the node's namespaces, so it gets no other rights.
      containerSecurityContext: restricted,
      resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
    },
    additionalPrometheusRulesMap: { 'tetragon-lab': { groups: alertGroups } },
  }
}

type PrometheusImage =
  | 'prometheus'
  | 'prometheus-operator'
  | 'prometheus-config-reloader'
  | 'kube-state-metrics'
  | 'node-exporter'

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
