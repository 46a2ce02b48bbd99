import type { Lab } from '../../shared/lab.ts'
import { exportFile, shipperStorage } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { everyNode, priorityClass, updateStrategy } from '../availability.ts'
import { restrictedRoot } from '../pods.ts'
import type { Values } from '../release.ts'
import {
  addressPaths,
  argumentPaths,
  blocked,
  defaultSeverity,
  derived,
  eventTypes,
  fields,
  serviceName,
  severities,
  socketPath,
  streamLabels,
} from './fields.ts'
import { lokiUrl } from './loki/url.ts'
import {
  collectorImage,
  exporter,
  extensions,
  forever,
  gatewayUrl,
  memoryLimiter,
  openPorts,
  readinessProbe,
  serviceBasics,
  withoutTemplates,
} from './otel-parts.ts'

const storage = shipperStorage.otel

/** Returns the values of the OpenTelemetry Collector chart. */
export function otelValues(lab: Lab): Values {
  return {
    mode: 'daemonset',
    image: collectorImage(lab),
    // Saves the checkpoint after lines are passed on. By default the receiver buffers up to 100 lines, which a kill
    // would lose.
    command: { name: 'otelcol-k8s', extraArgs: ['--feature-gates=stanza.synchronousLogEmitter'] },
    // Root owns the event file, with mode 0600.
    securityContext: restrictedRoot,
    // Events already name the Pod, so the API server is not needed.
    serviceAccount: { automountServiceAccountToken: false },
    ports: openPorts(),
    // Events are garbage once sent. Collecting half as often saves 20% CPU and costs a few MB. The chart sets
    // GOMEMLIMIT.
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
    readinessProbe,
    ...everyNode(lab.settings),
    ...priorityClass(lab.settings, 'node'),
    ...rollout(lab.settings),
    alternateConfig: withoutTemplates(collectorConfig(lab)),
  }
}

/** Returns the update strategy under the names that this chart has for it. */
function rollout(settings: Settings): Values {
  const { updateStrategy: own } = updateStrategy(settings)
  return own ? { rollout: { strategy: own.type, rollingUpdate: own.rollingUpdate } } : {}
}

/**
 * Returns the collector's configuration: read the files from the checkpoint, extract the fields, put the events into a
 * queue on disk, and send them from there. An event is always in the file or in the queue, so a kill or an outage loses
 * none. Each destination has its own reader, so that one that is down does not delay the other.
 */
export function collectorConfig({ settings }: Pick<Lab, 'settings'>) {
  const { siem } = settings.pipeline
  // A gateway takes Loki's place, under the same name: with another, the agent would read every file again.
  const destinations: Record<string, ReturnType<typeof exporter>> = { loki: toLoki(settings) }
  if (siem.protocol === 'otlp') destinations.siem = exporter(siem.endpoint, 'gzip', smallBatches)
  const names = Object.keys(destinations)
  return {
    extensions: extensions(storage),
    receivers: Object.fromEntries(names.map(name => [`file_log/${name}`, receiver])),
    processors: {
      memory_limiter: memoryLimiter,
      // Missing fields are not errors.
      'transform/tetragon': { error_mode: 'silent', log_statements: statements() },
      // Only resource attributes can be labels. Setting them directly would set them for the whole batch.
      'groupbyattrs/tetragon': { keys: streamLabels.filter(label => label !== 'service.name') },
    },
    exporters: Object.fromEntries(names.map(name => [`otlp_http/${name}`, destinations[name]!])),
    service: {
      ...serviceBasics,
      pipelines: Object.fromEntries(
        names.map(name => [
          `logs/${name}`,
          {
            receivers: [`file_log/${name}`],
            // No batch processor: it keeps events only in memory. The queue forms batches from disk.
            processors: ['memory_limiter', 'transform/tetragon', 'groupbyattrs/tetragon'],
            exporters: [`otlp_http/${name}`],
          },
        ]),
      ),
    },
  }
}

/** One small batch at a time keeps the order, and after a kill no more is sent again than Loki recognizes. */
const smallBatches = { items: 100, after: '200ms', consumers: 1 }

/** The gateway writes each request through to its disk, so these are fewer and larger. */
const gatewayBatches = { items: 500, after: '1s', consumers: 1 }

const toLoki = (settings: Settings) =>
  settings.pipeline.gateway.replicas > 0
    ? // Between nodes and zones, traffic costs more than processor time.
      exporter(gatewayUrl, 'gzip', gatewayBatches)
    : // Loki is in the same cluster: compression would gain nothing and take 10% of the collector's CPU time.
      exporter(`${lokiUrl(settings)}/otlp`, 'none', smallBatches)

/** Attributes that pass the parsed event from the receiver to the processor, which deletes them. */
const parsed = { type: 'type', event: 'event', time: 'time' } as const

/**
 * Returns the receiver's operators, which parse a line and keep only the parts that the table needs. Every later step
 * would copy the rest, which is 90% of an event.
 */
function operators() {
  const quietly = { if: 'body startsWith "{"', on_error: 'send_quiet' }
  const needed = [...fields.map(({ path }) => path), ...argumentPaths, socketPath, ['tags']].map(path => {
    // Lists are kept as a whole.
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
  // Includes rotated files, so that the last lines before a rotation are read even if the collector was down.
  include: [`${exportFile.directory}/${exportFile.pattern}`],
  start_at: 'beginning',
  include_file_name: false,
  storage: 'file_storage',
  // The start of a file identifies it. Events of a long-lived process are equal for several kB, up to their time.
  fingerprint_size: '16KiB',
  // Events with ancestors and namespaces are long.
  max_log_size: '1MiB',
  poll_interval: '200ms',
  resource: { 'service.name': serviceName },
  retry_on_failure: forever,
  operators: operators(),
}

const text = (value: string): string => JSON.stringify(value)
const attribute = (name: string): string => `log.attributes[${text(name)}]`
const event = (path: (string | number)[]): string =>
  [attribute(parsed.event), ...path.map(key => `[${typeof key === 'number' ? key : text(key)}]`)].join('')

/** Returns OTTL statements, each of which sets one value. */
function statements() {
  const socket = (end: string) => event([...socketPath, end])
  const lift = (name: string, from: string, where: string) => `set(${attribute(name)}, ${from}) where ${where}`
  const severity = (text: string, number: number, where = '') => [
    `set(log.severity_number, ${number})${where}`,
    `set(log.severity_text, "${text}")${where}`,
  ]
  const lifted = [
    `set(log.time, Time(${attribute(parsed.time)}, "%Y-%m-%dT%H:%M:%SZ", "UTC")) where ${attribute(parsed.time)} != nil`,
    // With the time of reading, an event that is read twice would not be recognized as a duplicate.
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
    // A list becomes JSON text, from which the brackets and quotes are removed.
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
    { context: 'log', statements: severity(defaultSeverity.text, defaultSeverity.number) },
    { context: 'log', conditions: ['IsMatch(log.body, "^\\\\{")'], statements: lifted },
  ]
}
