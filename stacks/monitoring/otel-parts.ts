import type { Lab } from '../../shared/lab.ts'
import { imageParts } from '../../shared/lock.ts'
import { namespaces, releases } from '../../shared/names.ts'

// What the collectors on the nodes and those of the gateway have in common: each keeps its events in a queue on disk
// until the next one has accepted them.

/** The address of the gateway, to which a collector adds the path of OTLP. */
export const gatewayUrl = `http://${releases.otelGateway}.${namespaces.monitoring}.svc:4318`

/** Returns the chart's value for the image. */
export function collectorImage({ lock }: Lab) {
  const { registry, repository, tag } = imageParts(lock.images['otel-collector'])
  return { repository: `${registry}/${repository}`, tag }
}

/** Returns the chart's ports: only those for metrics and the given one. The chart would open 6 on each node. */
export function openPorts(receiver?: 'otlp-http') {
  const closed = { enabled: false }
  return {
    otlp: closed,
    'otlp-http': receiver ? { enabled: true } : closed,
    'jaeger-compact': closed,
    'jaeger-thrift': closed,
    'jaeger-grpc': closed,
    zipkin: closed,
    metrics: { enabled: true, containerPort: 8888, servicePort: 8888, protocol: 'TCP' },
  }
}

export const readinessProbe = { httpGet: { port: 13133, path: '/' }, periodSeconds: 2 }

/**
 * Returns the extensions: the health check, and the files of the checkpoint and the queue.
 * @param options.fsync write through to the disk before an event counts as accepted
 */
export const extensions = (directory: string, options: { fsync?: true } = {}) => ({
  health_check: { endpoint: '${env:MY_POD_IP}:13133' },
  file_storage: {
    directory,
    create_directory: true,
    // After a kill, wait for the old process to release the files.
    timeout: '10s',
    ...options,
    // If a power cut damaged the files, start over: sending some events twice is better than not starting.
    recreate: true,
    // Frees the disk space that an outage filled.
    compaction: { directory, on_start: true, on_rebound: true, cleanup_on_start: true },
  },
})

export const memoryLimiter = { check_interval: '1s', limit_percentage: 80, spike_limit_percentage: 25 }

/** The parts of `service` beside the pipelines. */
export const serviceBasics = {
  extensions: ['health_check', 'file_storage'],
  telemetry: {
    metrics: { readers: [{ pull: { exporter: { prometheus: { host: '${env:MY_POD_IP}', port: 8888 } } } }] },
  },
}

/** Retries without an end, because an outage can last long. */
export const forever = { enabled: true, initial_interval: '1s', max_interval: '15s', max_elapsed_time: '0s' }

/** How an exporter sends what is in its queue. */
interface Batches {
  /** Number of events in a request. */
  items: number
  /** How long an incomplete batch waits. */
  after: string
  /** Number of requests at once. */
  consumers: number
  /** Size of the queue in bytes. */
  queueBytes?: number
}

/** Returns an exporter whose queue is on disk. A full queue blocks what comes before it. */
export const exporter = (
  endpoint: string,
  compression: 'none' | 'gzip',
  // 256 MiB are about 30,000 events.
  { items, after, consumers, queueBytes = 256 * 1024 ** 2 }: Batches,
) => ({
  endpoint,
  compression,
  retry_on_failure: forever,
  sending_queue: {
    storage: 'file_storage',
    sizer: 'bytes',
    queue_size: queueBytes,
    block_on_overflow: true,
    num_consumers: consumers,
    batch: { sizer: 'items', min_size: items, max_size: items, flush_timeout: after },
  },
})

/** Checks that a configuration contains no `{{`, because the chart renders it as a Helm template. */
export function withoutTemplates<T>(config: T): T {
  const text = JSON.stringify(config)
  if (text.includes('{{'))
    throw new Error('The collector configuration contains `{{`, which Helm would treat as a template')
  return config
}
