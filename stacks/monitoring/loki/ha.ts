import type { Lab } from '../../../shared/lab.ts'
import { imageParts } from '../../../shared/lock.ts'
import { releases } from '../../../shared/names.ts'
import { mebibytes } from '../../../shared/quantities.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { maxUnavailable, priorityClass, topologySpread } from '../../availability.ts'
import { podResources, volumeClass } from '../../pods.ts'
import type { Values } from '../../release.ts'
import { commonConfig, schemaConfig, unusedParts } from './common.ts'
import { credentialsEnv } from './object-storage-check.ts'

/** Labels of the chart's Loki pods. */
export const lokiLabels = {
  'app.kubernetes.io/name': 'loki',
  'app.kubernetes.io/instance': releases.loki,
  'app.kubernetes.io/component': 'single-binary',
}

/**
 * Returns the values of the Loki chart for several replicas that do the same. Each event is written to three of them, and
 * accepted when two have it in their write-ahead log. Chunks and index go to a bucket.
 */
export function highlyAvailableLoki(lab: Lab): Values {
  const { settings } = lab
  const { loki } = settings
  return {
    deploymentMode: 'Monolithic',
    singleBinary: {
      replicas: loki.replicas,
      podDisruptionBudget: { maxUnavailable },
      topologySpreadConstraints: topologySpread(settings, lokiLabels),
      ...priorityClass(settings, 'storage'),
      persistence: { enabled: true, size: loki.storage, ...volumeClass(settings) },
      resources: podResources(loki.resources),
      extraEnv: [...credentialsEnv(settings), ...serverCompatibility(settings)],
      // Before it ends, a Loki writes what it has to the bucket. What it does not manage stays in the log on its volume.
      terminationGracePeriodSeconds: 300,
    },
    // Loki does not use the API server.
    defaults: { automountServiceAccountToken: false },
    // The replicas have to find each other before they are ready.
    memberlist: { service: { publishNotReadyAddresses: true } },
    loki: {
      ...commonConfig(lab),
      commonConfig: { replication_factor: 3 },
      storage: { type: 's3', ...bucket(settings) },
      schemaConfig: schemaConfig('s3'),
      ingester: {
        // What a shipper or gateway sends again after it was killed is dropped while it is in the open block of its
        // stream: 4 MiB hold 500 events. More would take memory: with many nodes there are many streams.
        chunk_block_size: 4 * 1024 ** 2,
        chunk_target_size: 8 * 1024 ** 2,
        chunk_encoding: 'gzip',
        // A Loki that was killed reads its log again. The default is 4 GB, above its limit.
        wal: { replay_memory_ceiling: `${Math.floor(mebibytes(loki.resources.memoryLimit) / 2)}MB` },
      },
      // The replicas agree on one of them to compact the index and delete what is too old.
      compactor: { retention_enabled: true, delete_request_store: 's3' },
    },
    ...caches(lab),
    ...unusedParts,
  }
}

function bucket({ loki: { objectStorage } }: Settings) {
  const { endpoint, region, pathStyle, bucket } = objectStorage
  return {
    bucketNames: { chunks: bucket, ruler: bucket },
    s3: {
      ...(endpoint === '' ? {} : { endpoint, insecure: endpoint.startsWith('http://') }),
      region,
      s3ForcePathStyle: pathStyle,
    },
  }
}

/** Loki's S3 client adds checksums that AWS knows and many other servers refuse. */
const serverCompatibility = ({ loki }: Settings) =>
  loki.objectStorage.endpoint === ''
    ? []
    : ['AWS_REQUEST_CHECKSUM_CALCULATION', 'AWS_RESPONSE_CHECKSUM_VALIDATION'].map(name => ({
        name,
        value: 'when_required',
      }))

/** Returns the values of the two caches. The chart requests 20% more memory than it gives them. */
function caches({ settings, lock }: Lab): Values {
  const { chunksMB, resultsMB } = settings.loki.caches
  const cache = (allocatedMemory: number) =>
    allocatedMemory === 0 ? { enabled: false } : { enabled: true, allocatedMemory, allocatedCPU: '100m' }
  const { registry, repository, tag } = imageParts(lock.images.memcached)
  return {
    memcached: { image: { registry, repository, tag } },
    memcachedExporter: { enabled: false },
    chunksCache: cache(chunksMB),
    resultsCache: cache(resultsMB),
  }
}
