import type { local } from '@pulumi/command'
import * as pulumi from '@pulumi/pulumi'
import { alertGroups } from '../../../dashboards/alerts.ts'
import { clusterAlertGroup } from '../../../dashboards/cluster-alerts.ts'
import type { Lab } from '../../../shared/lab.ts'
import { imageParts } from '../../../shared/lock.ts'
import { nodePorts, releases } from '../../../shared/names.ts'
import { priorityClass, updateStrategy } from '../../availability.ts'
import type { ComponentArgs } from '../../component-args.ts'
import { podResources, publicService, restricted } from '../../pods.ts'
import { release, type Values } from '../../release.ts'
import { createPrometheusCrds } from './crds.ts'
import { remoteWrite } from './remote-write.ts'
import { prometheusReplicas } from './replicas.ts'
import { scrapeConfigs } from './scrape-configs.ts'

/** Arguments of the Prometheus component. */
export interface PrometheusArgs extends ComponentArgs {
  /** The lab's own node. In a cluster of the user's own, the chart creates the CRDs. */
  node: local.Command | undefined
}

/** Prometheus with its operator, kube-state-metrics and node-exporter. */
export class Prometheus extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace, node }: PrometheusArgs, options: pulumi.ComponentResourceOptions) {
    super('lab:monitoring:Prometheus', name, {}, options)
    const crds = node ? [createPrometheusCrds(lab, node, { parent: this, dependsOn: namespace })] : []
    release(
      releases.prometheus,
      { lab, chart: 'kube-prometheus-stack', values: prometheusValues(lab) },
      { parent: this, dependsOn: [namespace, ...crds] },
    )
    this.registerOutputs({})
  }
}

/**
 * Returns the values of kube-prometheus-stack: a small Prometheus, without the parts that are useless on one kind node.
 */
export function prometheusValues({ settings, lock }: Lab): Values {
  const { scrapeInterval, retention, retentionSize, externalLabels, resources } = settings.prometheus
  const image = (name: PrometheusImage) => imageParts(lock.images[name])
  const off = { enabled: false }
  // A cluster with several nodes. The operator and kube-state-metrics keep every object of it in memory.
  const many = settings.cluster.mode === 'existing'
  const { service, budget, spec } = prometheusReplicas(settings)
  // The exercises and the load on their application. In production nobody else may write metrics.
  const exercises = settings.guestbook.enabled
  return {
    crds: { enabled: many },
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
      // The release is complete when the operator is ready. By default, a first attempt that fails costs 10 s.
      readinessProbe: { periodSeconds: 2 },
      resources: { requests: { cpu: '20m', memory: '64Mi' }, limits: { memory: many ? '512Mi' : '192Mi' } },
    },
    prometheus: {
      service: { ...publicService(settings, nodePorts.prometheus), ...service },
      ...budget,
      prometheusSpec: {
        image: image('prometheus'),
        ...versionOf(image('prometheus')),
        // The operator's own probe asks every 15 s.
        containers: [{ name: 'prometheus', startupProbe: { periodSeconds: 1, failureThreshold: 900 } }],
        // `lab up` waits for the first scrape, which the default of 5 s would delay.
        ...(!many && { additionalArgs: [{ name: 'scrape.discovery-reload-interval', value: '1s' }] }),
        retention,
        retentionSize,
        scrapeInterval,
        evaluationInterval: scrapeInterval,
        // k6 pushes its metrics.
        enableRemoteWriteReceiver: exercises,
        // In a class, students' labs push their progress to the teacher's lab, as OTLP in JSON, which needs no library.
        enableOTLPReceiver: exercises,
        // Use the monitors and rules of every release.
        serviceMonitorSelectorNilUsesHelmValues: false,
        podMonitorSelectorNilUsesHelmValues: false,
        ruleSelectorNilUsesHelmValues: false,
        probeSelectorNilUsesHelmValues: false,
        scrapeConfigSelectorNilUsesHelmValues: false,
        resources: podResources(resources),
        ...spec,
        ...remoteWrite(settings),
        ...(Object.keys(externalLabels).length > 0 && { externalLabels }),
        // Not ServiceMonitors: other releases would have to wait for this release's CRDs.
        additionalScrapeConfigs: scrapeConfigs(settings),
      },
    },
    'kube-state-metrics': {
      image: image('kube-state-metrics'),
      readinessProbe: { initialDelaySeconds: 1, periodSeconds: 2 },
      resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: many ? '1Gi' : '128Mi' } },
    },
    'prometheus-node-exporter': {
      // The tag in the lock file already ends in `-distroless`.
      image: { ...image('node-exporter'), distroless: false },
      ...versionOf(image('node-exporter')),
      ...priorityClass(settings, 'node'),
      ...updateStrategy(settings),
      // It runs in the node's namespaces, so it gets no other rights.
      containerSecurityContext: restricted,
      resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
    },
    additionalPrometheusRulesMap: {
      'tetragon-lab': { groups: many ? [...alertGroups, clusterAlertGroup] : alertGroups },
    },
  }
}

/** The operator and a chart read the version from the tag, unless it has a digest too. */
function versionOf({ tag }: { tag: string }): { version?: string } {
  const [version, digest] = tag.split('@')
  return digest ? { version } : {}
}

type PrometheusImage =
  | 'prometheus'
  | 'prometheus-operator'
  | 'prometheus-config-reloader'
  | 'kube-state-metrics'
  | 'node-exporter'
