import type { Lab } from '../../shared/lab.ts'
import { releases } from '../../shared/names.ts'
import { mebibytes } from '../../shared/quantities.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { maxUnavailable, priorityClass, topologySpread } from '../availability.ts'
import { podResources, restricted } from '../pods.ts'
import type { Values } from '../release.ts'
import { lokiUrl } from './loki/url.ts'
import {
  collectorImage,
  exporter,
  extensions,
  memoryLimiter,
  openPorts,
  readinessProbe,
  serviceBasics,
  withoutTemplates,
} from './otel-parts.ts'

/** User and group of the collector's image. */
const user = 10001

const queueFolder = '/var/lib/otelcol'

const labels = {
  'app.kubernetes.io/name': releases.otel,
  'app.kubernetes.io/instance': releases.otelGateway,
}

/**
 * Returns the values of the OpenTelemetry Collector chart for the gateway, through which the collectors of all nodes
 * send to Loki.
 *
 * Events are delivered at least once. A collector keeps a batch until the gateway has it on its volume, and the gateway
 * until two replicas of Loki have it. What one sends again, because it was killed before it saw the answer, has the
 * same time, labels and text, by which Loki recognizes it.
 */
export function gatewayValues(lab: Lab): Values {
  const { settings } = lab
  const { replicas, storage, resources } = settings.pipeline.gateway
  const { storageClass } = settings.cluster
  return {
    mode: 'statefulset',
    replicaCount: replicas,
    image: collectorImage(lab),
    command: { name: 'otelcol-k8s' },
    podSecurityContext: { fsGroup: user, fsGroupChangePolicy: 'OnRootMismatch' },
    securityContext: { ...restricted, runAsUser: user },
    serviceAccount: { automountServiceAccountToken: false },
    ports: openPorts('otlp-http'),
    resources: podResources(resources),
    statefulset: {
      volumeClaimTemplates: [
        {
          metadata: { name: 'queue' },
          spec: {
            accessModes: ['ReadWriteOnce'],
            ...(storageClass === '' ? {} : { storageClassName: storageClass }),
            resources: { requests: { storage } },
          },
        },
      ],
    },
    extraVolumeMounts: [{ name: 'queue', mountPath: queueFolder }],
    readinessProbe,
    ...priorityClass(settings, 'storage'),
    ...(replicas > 1 && {
      podDisruptionBudget: { enabled: true, maxUnavailable },
      topologySpreadConstraints: topologySpread(settings, labels),
    }),
    alternateConfig: withoutTemplates(gatewayConfig(settings)),
  }
}

/** Returns the configuration of a gateway: receive, put into the queue, send. The collectors on the nodes do the rest. */
export const gatewayConfig = (settings: Settings) => ({
  extensions: extensions(queueFolder, { fsync: true }),
  receivers: { otlp: { protocols: { http: { endpoint: '${env:MY_POD_IP}:4318' } } } },
  processors: { memory_limiter: memoryLimiter },
  exporters: {
    'otlp_http/loki': exporter(`${lokiUrl(settings)}/otlp`, 'none', {
      items: 500,
      after: '200ms',
      // Loki accepts a stream's events in any order. After a kill, two batches at most are sent again.
      consumers: 2,
      // The rest of the volume is for the database's own pages and its compaction, which writes a second file.
      queueBytes: Math.floor(mebibytes(settings.pipeline.gateway.storage) * 0.4) * 1024 ** 2,
    }),
  },
  service: {
    ...serviceBasics,
    pipelines: { logs: { receivers: ['otlp'], processors: ['memory_limiter'], exporters: ['otlp_http/loki'] } },
  },
})
