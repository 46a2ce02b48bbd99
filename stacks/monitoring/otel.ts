import type { Lab } from '../../shared/lab.ts'
import { imageParts } from '../../shared/lock.ts'
import { exportFile, services } from '../../shared/names.ts'
import { restrictedRoot } from '../pods.ts'
import type { Values } from '../release.ts'
import {
  addressPaths,
  argumentPaths,
  blocked,
  derived,
  eventTypes,
  fields,
  serviceName,
  severities,
  socketPath,
  streamLabels,
  unmarked,
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
    // Lines are handed on before their place is noted: the receiver would keep up to a hundred in memory, and a kill would lose them.
    command: { name: 'otelcol-k8s', extraArgs: ['--feature-gates=stanza.synchronousLogEmitter'] },
    // The event file belongs to root, mode 0600.
    securityContext: restrictedRoot,
    // It asks nothing of the API server: the pod is named in the event already.
    serviceAccount: { automountServiceAccountToken: false },
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
    // An event becomes garbage as soon as it is sent: collected half as often, it is a fifth less work for a few MB. The chart sets GOMEMLIMIT.
    extraEnvs: [{ name: 'GOGC', value: '200' }],
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
 * The collector's configuration: read the files from the last place, lift the table's fields, put the events into a queue on disk, and send
 * from there. Whatever is killed or away in between, an event is either still in the file or already in the queue. Each destination reads the
 * files for itself, so that one that is away holds up nobody else.
 */
export function collectorConfig({ settings }: Pick<Lab, 'settings'>) {
  const { siem } = settings.pipeline
  const destinations: Record<string, string> = { loki: `${services.loki}/otlp` }
  if (siem.protocol === 'otlp') destinations.siem = siem.endpoint
  const names = Object.keys(destinations)
  return {
    extensions: {
      health_check: { endpoint: '${env:MY_POD_IP}:13133' },
      file_storage: {
        directory: storage,
        create_directory: true,
        // Before it comes up at all, the killed one has to let go of the files.
        timeout: '10s',
        // After a power cut rather begin again, and send some events twice, than never.
        recreate: true,
        // What an outage has filled is given back to the disk.
        compaction: { directory: storage, on_start: true, on_rebound: true, cleanup_on_start: true },
      },
    },
    receivers: Object.fromEntries(names.map(name => [`file_log/${name}`, receiver])),
    processors: {
      memory_limiter: { check_interval: '1s', limit_percentage: 80, spike_limit_percentage: 25 },
      // A field that an event does not have is no error.
      'transform/tetragon': { error_mode: 'silent', log_statements: statements() },
      // From the record to the resource: only resource attributes can be labels, and setting them in place would set them for a whole batch.
      'groupbyattrs/tetragon': { keys: streamLabels.filter(label => label !== 'service.name') },
    },
    exporters: Object.fromEntries(
      Object.entries(destinations).map(([name, endpoint]) => [
        `otlp_http/${name}`,
        // Next door nothing is gained by it, and it would be a tenth of all that the collector does.
        exporter(endpoint, name === 'loki' ? 'none' : 'gzip'),
      ]),
    ),
    service: {
      extensions: ['health_check', 'file_storage'],
      telemetry: {
        metrics: { readers: [{ pull: { exporter: { prometheus: { host: '${env:MY_POD_IP}', port: 8888 } } } }] },
      },
      pipelines: Object.fromEntries(
        names.map(name => [
          `logs/${name}`,
          {
            receivers: [`file_log/${name}`],
            // No batch processor: it would hold events in memory alone. The queue makes batches of what it has on disk.
            processors: ['memory_limiter', 'transform/tetragon', 'groupbyattrs/tetragon'],
            exporters: [`otlp_http/${name}`],
          },
        ]),
      ),
    },
  }
}

const forever = { enabled: true, initial_interval: '1s', max_interval: '15s', max_elapsed_time: '0s' }

/** Where the receiver leaves an event for the processor: attributes that are gone when it is done. */
const parsed = { type: 'type', event: 'event', time: 'time' } as const

/**
 * What the receiver does with a line: it is parsed once, and of what it holds only that is kept which the table names. The rest, nine tenths of an
 * event, would be copied with every step that follows.
 */
function operators() {
  const quietly = { if: 'body startsWith "{"', on_error: 'send_quiet' }
  const needed = [...fields.map(({ path }) => path), ...argumentPaths, socketPath, ['tags']].map(path => {
    // A list is kept whole.
    const list = path.findIndex(key => typeof key === 'number')
    return path.slice(0, list < 0 ? undefined : list).join('.')
  })
  return [
    { type: 'json_parser', ...quietly },
    {
      type: 'add',
      field: `attributes.${parsed.type}`,
      value: `EXPR(findLast(${JSON.stringify(eventTypes)}, attributes[#] != nil))`,
      ...quietly,
    },
    {
      type: 'add',
      field: `attributes.${parsed.event}`,
      value: `EXPR(attributes[attributes.${parsed.type}])`,
      if: `attributes?.${parsed.type} != nil`,
      on_error: 'send_quiet',
    },
    {
      type: 'retain',
      fields: [parsed.type, parsed.time, ...new Set(needed.map(path => `${parsed.event}.${path}`))].map(
        path => `attributes.${path}`,
      ),
      ...quietly,
    },
  ]
}

const receiver = {
  // With the rotated ones: what was written last before a rotation is read also when nobody was reading at that moment.
  include: [`${exportFile.directory}/${exportFile.pattern}`],
  start_at: 'beginning',
  include_file_name: false,
  storage: 'file_storage',
  // Files are told apart by how they begin, and the events of a long-lived process begin alike for several kB, up to their time.
  fingerprint_size: '16KiB',
  // An event with its ancestors and namespaces is long.
  max_log_size: '1MiB',
  poll_interval: '200ms',
  resource: { 'service.name': serviceName },
  retry_on_failure: forever,
  operators: operators(),
}

const exporter = (endpoint: string, compression: 'none' | 'gzip') => ({
  endpoint,
  compression,
  // For ever: it may be away for longer than anyone waits.
  retry_on_failure: forever,
  sending_queue: {
    storage: 'file_storage',
    // 256 MiB, some thirty thousand events. A full queue holds up the reader, and the files keep the rest.
    sizer: 'bytes',
    queue_size: 256 * 1024 ** 2,
    block_on_overflow: true,
    // One at a time and small: in the order of the file, and after a kill no more is sent again than Loki knows for what it already has.
    num_consumers: 1,
    batch: { sizer: 'items', min_size: 100, max_size: 100, flush_timeout: '200ms' },
  },
})

const text = (value: string): string => JSON.stringify(value)
const attribute = (name: string): string => `log.attributes[${text(name)}]`
const event = (path: (string | number)[]): string =>
  [attribute(parsed.event), ...path.map(key => `[${typeof key === 'number' ? key : text(key)}]`)].join('')

/** OTTL: each line lifts one thing. */
function statements() {
  const socket = (end: string) => event([...socketPath, end])
  const lift = (name: string, from: string, where: string) => `set(${attribute(name)}, ${from}) where ${where}`
  const severity = (text: string, number: number, where = '') => [
    `set(log.severity_number, ${number})${where}`,
    `set(log.severity_text, "${text}")${where}`,
  ]
  const lifted = [
    `set(log.time, Time(${attribute(parsed.time)}, "%Y-%m-%dT%H:%M:%SZ", "UTC")) where ${attribute(parsed.time)} != nil`,
    // When it was read is of no use, and an event that is read twice would pass for two.
    'set(log.observed_time_unix_nano, 0) where log.time_unix_nano > 0',
    lift(derived.eventType, attribute(parsed.type), `${attribute(parsed.type)} != nil`),
    ...fields.map(({ name, path, integer }) =>
      lift(name, integer ? `Int(${event(path)})` : event(path), `${event(path)} != nil`),
    ),
    ...argumentPaths.map(path =>
      lift(derived.arguments, event(path), `${attribute(derived.arguments)} == nil and ${event(path)} != nil`),
    ),
    lift(
      derived.arguments,
      `Concat([${socket('saddr')}, " -> ", ${socket('daddr')}, ":", ${socket('dport')}], "")`,
      ['saddr', 'daddr', 'dport'].map(end => `${socket(end)} != nil`).join(' and '),
    ),
    ...addressPaths.map(path => {
      const [address, port] = ['addr', 'port'].map(key => event([...path, key]))
      const there = `${attribute(derived.arguments)} == nil and ${address} != nil and ${port} != nil`
      return lift(derived.arguments, `Concat([${address}, ":", ${port}], "")`, there)
    }),
    // As text: a list is written as JSON, of which only the commas are kept.
    lift(derived.tags, `String(${event(['tags'])})`, `${event(['tags'])} != nil`),
    `replace_pattern(${attribute(derived.tags)}, ${text('[\\[\\]"]')}, "")`,
    ...severities.flatMap(({ tag, text: name, number }) =>
      severity(name, number, ` where ContainsValue(${event(['tags'])}, ${text(tag)})`),
    ),
    lift(derived.blocked, '"true"', `${attribute('tetragon.signal')} == ${text(blocked.signal)}`),
    ...blocked.actions.map(action =>
      lift(
        derived.blocked,
        '"true"',
        `${attribute('tetragon.action')} == ${text(action)} and not IsMatch(${attribute('tetragon.policy.name')}, ${text(blocked.monitorPolicy)})`,
      ),
    ),
    ...Object.values(parsed).map(name => `delete_key(log.attributes, ${text(name)})`),
  ]
  return [
    { context: 'log', statements: severity(unmarked.text, unmarked.number) },
    { context: 'log', conditions: ['IsMatch(log.body, "^\\\\{")'], statements: lifted },
  ]
}
