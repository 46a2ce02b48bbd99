import * as pulumi from '@pulumi/pulumi'
import type { Lab } from '../../shared/lab.ts'
import { imageParts } from '../../shared/lock.ts'
import { namespaces, nodePorts, releases } from '../../shared/names.ts'
import type { ComponentArgs } from '../component-args.ts'
import { nodePortService } from '../pods.ts'
import { release, type Values } from '../release.ts'
import { streamLabels } from './fields.ts'

/** Loki as a single binary with its own volume. */
export class Loki extends pulumi.ComponentResource {
  constructor(name: string, { lab, namespace }: ComponentArgs, options: pulumi.ComponentResourceOptions) {
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

/** Returns the values of the Loki chart. Its defaults need object storage, 3 replicas and 11 GiB of caches. */
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
    // Loki does not use the API server.
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
        // With a single replica there is no other member of the ring to wait for.
        lifecycler: { min_ready_duration: '0s', join_after: '0s' },
        // A shipper that was killed sends some events again. Loki drops those that are still in the open block of their
        // stream: 16 MiB hold 2,000 events, the default of 256 kB holds 30.
        chunk_block_size: 16 * 1024 ** 2,
        chunk_target_size: 24 * 1024 ** 2,
        // gzip is 20% of Loki's CPU time. zstd would be cheaper, but its decoders take 0.5 GB in a query.
        chunk_encoding: 'gzip',
      },
      readinessProbe: { initialDelaySeconds: 1, periodSeconds: 2 },
      limits_config: {
        allow_structured_metadata: true,
        volume_enabled: true,
        retention_period: settings.loki.retention,
        // An event is about 8 kB, so the default limits are reached at 200 events per second. No laptop reaches these.
        ingestion_rate_mb: 128,
        ingestion_burst_size_mb: 256,
        per_stream_rate_limit: '128MB',
        per_stream_rate_limit_burst: '256MB',
        // With the default of 256 kB, Loki would discard the longest events.
        max_line_size: '2MB',
        // A single process needs no shards, and Loki would not recognize duplicates across shards.
        shard_streams: { enabled: false },
        otlp_config: {
          resource_attributes: {
            // Only a few bounded labels. Everything else becomes structured metadata.
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
