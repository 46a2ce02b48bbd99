import type * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import { alertGroups } from '../../dashboards/alerts.ts'
import type { Lab } from '../../shared/lab.ts'
import { imageParts } from '../../shared/lock.ts'
import { namespaces, nodePorts, releases } from '../../shared/names.ts'
import { restricted } from '../pods.ts'
import { release, type Values } from '../release.ts'

/** Prometheus with its operator, kube-state-metrics and node-exporter. */
export class Prometheus extends pulumi.ComponentResource {
  constructor(
    name: string,
    { lab, namespace }: { lab: Lab; namespace: k8s.core.v1.Namespace },
    options: pulumi.ComponentResourceOptions,
  ) {
    super('lab:monitoring:Prometheus', name, {}, options)
    release(
      releases.prometheus,
      { lab, chart: 'kube-prometheus-stack', values: prometheusValues(lab) },
      { parent: this, dependsOn: namespace },
    )
    this.registerOutputs({})
  }
}

/** Values of kube-prometheus-stack: a small Prometheus, and no part that has nothing to say on a single kind node. */
export function prometheusValues({ settings, lock }: Lab): Values {
  const { interval } = { interval: settings.prometheus.scrapeInterval }
  const image = (name: Parameters<typeof imageOf>[1]) => imageOf(lock, name)
  const off = { enabled: false }
  return {
    // A release of its own: its major versions and its plugins are pinned apart from Prometheus.
    grafana: off,
    alertmanager: off,
    // kubeadm binds their metrics to loopback inside the node: they would be targets that are always down.
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
      // Both or neither: with TLS left on, the operator waits for a secret that only the webhooks' hook makes.
      admissionWebhooks: off,
      tls: off,
      // The operator would otherwise turn kubelet's endpoints over at its own pace of three minutes.
      resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: '192Mi' } },
    },
    prometheus: {
      service: { type: 'NodePort', nodePort: nodePorts.prometheus },
      prometheusSpec: {
        image: image('prometheus'),
        retention: settings.prometheus.retention,
        retentionSize: '1GB',
        scrapeInterval: interval,
        evaluationInterval: interval,
        // k6 pushes its metrics.
        enableRemoteWriteReceiver: true,
        // Students' labs push their progress to the teacher's, when a class is held: as JSON, which needs no library.
        enableOTLPReceiver: true,
        // Whoever brings a monitor or a rule is heard, whatever release it belongs to.
        serviceMonitorSelectorNilUsesHelmValues: false,
        podMonitorSelectorNilUsesHelmValues: false,
        ruleSelectorNilUsesHelmValues: false,
        probeSelectorNilUsesHelmValues: false,
        scrapeConfigSelectorNilUsesHelmValues: false,
        resources: { requests: { cpu: '100m', memory: '400Mi' }, limits: { memory: '1Gi' } },
        // Found by a scrape configuration, not by a ServiceMonitor: so no release waits for another's CRDs.
        additionalScrapeConfigs: scrapeConfigs(),
      },
    },
    'kube-state-metrics': {
      image: image('kube-state-metrics'),
      resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
    },
    'prometheus-node-exporter': {
      // The tag in the lock says it already.
      image: { ...image('node-exporter'), distroless: false },
      // It looks at the node from inside the node's own namespaces, and may do nothing else there.
      containerSecurityContext: restricted,
      resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
    },
    additionalPrometheusRulesMap: { 'tetragon-lab': { groups: alertGroups } },
  }
}

const imageOf = (
  lock: Lab['lock'],
  name: 'prometheus' | 'prometheus-operator' | 'prometheus-config-reloader' | 'kube-state-metrics' | 'node-exporter',
) => imageParts(lock.images[name])

interface Relabel {
  source_labels?: string[]
  regex?: string
  action?: string
  target_label?: string
  replacement?: string
}

/** What Prometheus reads besides the cluster itself: Tetragon, the shipper, Loki and the Guestbook. */
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
    // Its labels pod and namespace are the workload's, so the agent's own pod gets another name.
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
