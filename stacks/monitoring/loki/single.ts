import type { Lab } from '../../../shared/lab.ts'
import { podResources } from '../../pods.ts'
import type { Values } from '../../release.ts'
import { commonConfig, schemaConfig, unusedParts } from './common.ts'

/** Returns the values of the Loki chart for a single binary with its own volume. */
export function singleLoki(lab: Lab): Values {
  const { loki, cluster } = lab.settings
  const off = { enabled: false }
  return {
    deploymentMode: 'Monolithic',
    singleBinary: {
      replicas: 1,
      persistence: {
        enabled: true,
        size: loki.storage,
        // In a kind node the volume exists; `-` means no class, so no provisioner.
        ...(cluster.mode === 'create' && { storageClass: '-' }),
      },
      resources: podResources(loki.resources),
    },
    // Loki does not use the API server.
    defaults: { automountServiceAccountToken: false },
    loki: {
      ...commonConfig(lab),
      commonConfig: { replication_factor: 1 },
      // How often its parts look for each other. By default Loki is ready 10 s after its start.
      frontend: { scheduler_dns_lookup_period: '1s' },
      frontend_worker: { dns_lookup_duration: '1s' },
      storage: { type: 'filesystem' },
      schemaConfig: schemaConfig('filesystem'),
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
      compactor: { retention_enabled: true, delete_request_store: 'filesystem' },
    },
    chunksCache: off,
    resultsCache: off,
    ...unusedParts,
  }
}
