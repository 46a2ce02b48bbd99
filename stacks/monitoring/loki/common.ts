import type { Lab } from '../../../shared/lab.ts'
import { imageParts } from '../../../shared/lock.ts'
import type { Values } from '../../release.ts'
import { streamLabels } from '../fields.ts'

const off = { enabled: false }

/** Values that one Loki and several have in common: the parts that the lab does not use. */
export const unusedParts: Values = {
  read: { replicas: 0 },
  write: { replicas: 0 },
  backend: { replicas: 0 },
  lokiCanary: off,
  test: off,
  gateway: off,
  sidecar: { rules: off },
}

/** Returns the part of Loki's configuration that one Loki and several have in common. */
export function commonConfig({ settings, lock }: Lab): Values {
  const { registry, repository, tag } = imageParts(lock.images.loki)
  return {
    image: { registry, repository, tag },
    auth_enabled: false,
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
      // Loki would not recognize duplicates across shards, and a few replicas need none.
      shard_streams: { enabled: false },
      otlp_config: {
        resource_attributes: {
          // Only a few bounded labels. Everything else becomes structured metadata.
          ignore_defaults: true,
          attributes_config: [{ action: 'index_label', attributes: streamLabels }],
        },
      },
    },
    analytics: { reporting_enabled: false },
  }
}

/** Returns the schema of the stored events. */
export const schemaConfig = (objectStore: 'filesystem' | 's3') => ({
  configs: [
    {
      from: '2024-04-01',
      store: 'tsdb',
      object_store: objectStore,
      schema: 'v13',
      index: { prefix: 'index_', period: '24h' },
    },
  ],
})
