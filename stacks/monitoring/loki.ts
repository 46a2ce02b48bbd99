import type * as k8s from '@pulumi/kubernetes'
import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../shared/lab.ts'
import { imageParts } from '../../shared/lock.ts'
import { namespaces, nodePorts, releases } from '../../shared/names.ts'
import { nodePortService } from '../pods.ts'
import { release, type Values } from '../release.ts'
import { streamLabels } from './fields.ts'

/** Loki as a single binary with a volume of its own. */
export class Loki extends pulumi.ComponentResource {
  constructor(
    name: string,
    { lab, namespace }: { lab: Lab; namespace: k8s.core.v1.Namespace },
    options: pulumi.ComponentResourceOptions,
  ) {
    super('lab:monitoring:Loki', name, {}, options)
    release(releases.loki, { lab, chart: 'loki', values: lokiValues(lab) }, { parent: this, dependsOn: namespace })
    nodePortService(
      `${name}-node-port`,
      {
        namespace: namespaces.monitoring,
        selector: { 'app.kubernetes.io/name': 'loki', 'app.kubernetes.io/component': 'single-binary' },
        port: 3100,
        targetPort: 3100,
        nodePort: nodePorts.loki,
      },
      { parent: this, dependsOn: namespace },
    )
    this.registerOutputs({})
  }
}

/** Values of the Loki chart, whose defaults ask for object storage, three replicas and 11 GiB of caches. */
export function lokiValues({ settings, lock }: Lab): Values {
  const { registry, repository, tag } = imageParts(lock.images.loki)
  const off = { enabled: false }
  return {
    deploymentMode: 'Monolithic',
    singleBinary: {
      replicas: 1,
      persistence: { enabled: true, size: settings.loki.storage },
      resources: { requests: { cpu: '50m', memory: '192Mi' }, limits: { memory: '768Mi' } },
    },
    // It asks nothing of the API server.
    defaults: { automountServiceAccountToken: false },
    read: { replicas: 0 },
    write: { replicas: 0 },
    backend: { replicas: 0 },
    loki: {
      image: { registry, repository, tag },
      auth_enabled: false,
      commonConfig: { replication_factor: 1 },
      storage: { type: 'filesystem' },
      schemaConfig: {
        configs: [
          {
            from: '2024-04-01',
            store: 'tsdb',
            object_store: 'filesystem',
            schema: 'v13',
            index: { prefix: 'index_', period: '24h' },
          },
        ],
      },
      ingester: {
        // A ring of one has nobody to wait for.
        lifecycler: { min_ready_duration: '0s', join_after: '0s' },
        // An event that a shipper sends again after it was killed is dropped when it is still in the open block of its stream: one of 16 MiB
        // holds two thousand events, the usual 256 kB thirty.
        chunk_block_size: 16 * 1024 ** 2,
        chunk_target_size: 24 * 1024 ** 2,
        // The usual gzip is a fifth of Loki's work, and zstd would be less; but then a query takes half a gigabyte for its decoders.
        chunk_encoding: 'gzip',
      },
      readinessProbe: { initialDelaySeconds: 1, periodSeconds: 2 },
      limits_config: {
        allow_structured_metadata: true,
        volume_enabled: true,
        retention_period: settings.loki.retention,
        // An event weighs about 8 kB: the standard limits are reached at 200 events a second of one kind. These are beyond what a laptop can do.
        ingestion_rate_mb: 128,
        ingestion_burst_size_mb: 256,
        per_stream_rate_limit: '128MB',
        per_stream_rate_limit_burst: '256MB',
        // What a shipper sends as one line, Loki takes: the standard 256 kB would throw the longest events away.
        max_line_size: '2MB',
        // One process has nobody to share a stream with; spread over several, what is sent again would pass for new.
        shard_streams: { enabled: false },
        otlp_config: {
          resource_attributes: {
            // Few and bounded labels; all the rest becomes structured metadata.
            ignore_defaults: true,
            attributes_config: [{ action: 'index_label', attributes: streamLabels }],
          },
        },
      },
      compactor: { retention_enabled: true, delete_request_store: 'filesystem' },
      analytics: { reporting_enabled: false },
    },
    chunksCache: off,
    resultsCache: off,
    lokiCanary: off,
    test: off,
    gateway: off,
    sidecar: { rules: off },
  }
}
