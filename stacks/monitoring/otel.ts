import type { Lab } from '../lab.ts'
import { imageParts } from '../lock.ts'
import { exportFile, services } from '../names.ts'
import type { Values } from '../release.ts'
import {
  argumentPaths,
  blocked,
  derived,
  eventTypes,
  fields,
  serviceName,
  severities,
  socketPath,
  streamLabels,
} from './fields.ts'

/** Where the collector keeps how far it has read and what it could not send yet: on the node, so that a new pod goes on from there. */
const storage = '/var/lib/otelcol'

/** Values of the OpenTelemetry Collector chart, as the shipper of Tetragon's events. */
export function otelValues(lab: Lab): Values {
  const { registry, repository, tag } = imageParts(lab.lock.images['otel-collector'])
  const closed = { enabled: false }
  return {
    mode: 'daemonset',
    image: { repository: `${registry}/${repository}`, tag },
    command: { name: 'otelcol-k8s' },
    // The event file belongs to root, mode 0600.
    securityContext: { runAsUser: 0, runAsGroup: 0 },
    // The chart would open six ports on the node.
    ports: {
      otlp: closed,
      'otlp-http': closed,
      'jaeger-compact': closed,
      'jaeger-thrift': closed,
      'jaeger-grpc': closed,
      zipkin: closed,
      metrics: { enabled: true, containerPort: 8888, servicePort: 8888, protocol: 'TCP' },
    },
    resources: { requests: { cpu: '20m', memory: '96Mi' }, limits: { memory: '256Mi' } },
    extraVolumes: [
      { name: 'events', hostPath: { path: exportFile.directory, type: 'DirectoryOrCreate' } },
      { name: 'storage', hostPath: { path: storage, type: 'DirectoryOrCreate' } },
    ],
    extraVolumeMounts: [
      { name: 'events', mountPath: exportFile.directory, readOnly: true },
      { name: 'storage', mountPath: storage },
    ],
    readinessProbe: { httpGet: { port: 13133, path: '/' }, periodSeconds: 2 },
    alternateConfig: escaped(collectorConfig(lab)),
  }
}

/** The chart runs the configuration through Helm's templates; nothing of ours is one. */
function escaped<T>(config: T): T {
  const text = JSON.stringify(config)
  if (text.includes('{{'))
    throw new Error('the collector configuration holds `{{`, which Helm would take for a template')
  return config
}

/**
 * The collector's configuration: read the file from the last place, lift the table's fields, send to Loki, and keep in a queue on disk what
 * Loki does not take.
 */
export function collectorConfig({ settings }: Pick<Lab, 'settings'>) {
  const { siem } = settings.pipeline
  const exporter = (endpoint: string) => ({
    endpoint,
    compression: 'gzip',
    // For ever: Loki may be away for longer than anyone waits, and the queue is on disk.
    retry_on_failure: { enabled: true, initial_interval: '1s', max_interval: '15s', max_elapsed_time: '0s' },
    sending_queue: { enabled: true, storage: 'file_storage', queue_size: 10_000, num_consumers: 2 },
  })
  const exporters: Record<string, unknown> = { 'otlp_http/loki': exporter(`${services.loki}/otlp`) }
  if (siem.protocol === 'otlp') exporters['otlp_http/siem'] = exporter(siem.endpoint)
  return {
    extensions: {
      health_check: { endpoint: '${env:MY_POD_IP}:13133' },
      file_storage: { directory: storage, create_directory: true, compaction: { on_start: true, directory: storage } },
    },
    receivers: {
      'file_log/tetragon': {
        include: [`${exportFile.directory}/${exportFile.name}`],
        start_at: 'beginning',
        include_file_name: false,
        storage: 'file_storage',
        // An event with its ancestors and namespaces is long.
        max_log_size: '1MiB',
        poll_interval: '200ms',
        resource: { 'service.name': serviceName },
        retry_on_failure: { enabled: true },
      },
    },
    processors: {
      memory_limiter: { check_interval: '1s', limit_percentage: 80, spike_limit_percentage: 25 },
      'transform/tetragon': {
        // A field that an event does not have is no error.
        error_mode: 'silent',
        log_statements: [{ context: 'log', conditions: ['IsMatch(log.body, "^\\\\{")'], statements: statements() }],
      },
      // From the record to the resource: only resource attributes can be labels, and setting them in place would set them for a whole batch.
      'groupbyattrs/tetragon': { keys: streamLabels.filter(label => label !== 'service.name') },
      batch: { timeout: '500ms', send_batch_size: 500, send_batch_max_size: 500 },
    },
    exporters,
    service: {
      extensions: ['health_check', 'file_storage'],
      telemetry: {
        metrics: { readers: [{ pull: { exporter: { prometheus: { host: '${env:MY_POD_IP}', port: 8888 } } } }] },
      },
      pipelines: {
        'logs/tetragon': {
          receivers: ['file_log/tetragon'],
          processors: ['memory_limiter', 'transform/tetragon', 'groupbyattrs/tetragon', 'batch'],
          exporters: Object.keys(exporters),
        },
      },
    },
  }
}

const text = (value: string): string => JSON.stringify(value)
const attribute = (name: string): string => `log.attributes[${text(name)}]`
const event = (path: (string | number)[]): string =>
  ['log.cache["event"]', ...path.map(key => `[${typeof key === 'number' ? key : text(key)}]`)].join('')

/** OTTL: the event is parsed once into the cache, then each line lifts one thing. */
function statements(): string[] {
  const socket = (end: string) => event([...socketPath, end])
  const lift = (name: string, from: string, where: string) => `set(${attribute(name)}, ${from}) where ${where}`
  return [
    'merge_maps(log.cache, ParseJSON(log.body), "upsert")',
    'set(log.time, Time(log.cache["time"], "%Y-%m-%dT%H:%M:%SZ")) where log.cache["time"] != nil',
    ...eventTypes.flatMap(type => [
      lift(derived.eventType, text(type), `log.cache[${text(type)}] != nil`),
      `set(log.cache["event"], log.cache[${text(type)}]) where log.cache[${text(type)}] != nil`,
    ]),
    ...fields.map(({ name, path }) => lift(name, event(path), `${event(path)} != nil`)),
    ...argumentPaths.map(path =>
      lift(derived.arguments, event(path), `${attribute(derived.arguments)} == nil and ${event(path)} != nil`),
    ),
    lift(
      derived.arguments,
      `Concat([${socket('saddr')}, " -> ", ${socket('daddr')}, ":", ${socket('dport')}], "")`,
      `${socket('daddr')} != nil`,
    ),
    // As text: a list is written as JSON, of which only the commas are kept.
    lift(derived.tags, `String(${event(['tags'])})`, `${event(['tags'])} != nil`),
    `replace_pattern(${attribute(derived.tags)}, ${text('[\\[\\]"]')}, "")`,
    'set(log.severity_number, 9)',
    'set(log.severity_text, "info")',
    ...severities.flatMap(({ tag, text: severity, number }) => [
      `set(log.severity_number, ${number}) where ContainsValue(${event(['tags'])}, ${text(tag)})`,
      `set(log.severity_text, ${text(severity)}) where ContainsValue(${event(['tags'])}, ${text(tag)})`,
    ]),
    lift(derived.blocked, '"true"', `${attribute('tetragon.signal')} == ${text(blocked.signal)}`),
    lift(
      derived.blocked,
      '"true"',
      `${attribute('tetragon.action')} == ${text(blocked.action)} and not IsMatch(${attribute('tetragon.policy.name')}, ${text(blocked.monitorPolicy)})`,
    ),
  ]
}
