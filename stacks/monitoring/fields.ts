// The fields that a shipper extracts from an event for Loki. Both shippers are configured from this table, so that
// every query works with either. The event itself stays unchanged, as the log line.

/** Tetragon's types of event. In its JSON, the type is the key that contains the event. */
export const eventTypes = [
  'process_exec',
  'process_exit',
  'process_kprobe',
  'process_tracepoint',
  'process_uprobe',
  'process_lsm',
  'process_usdt',
  'process_loader',
  'process_throttle',
  // Not about a process: the number of events that the rate limit kept out of the file.
  'rate_limit_info',
] as const

/** An extracted value. */
export interface Field {
  /** Attribute name in OpenTelemetry's style. Loki replaces its dots with underscores. */
  name: string
  /** Path inside the event. A number is an index in a list, from 0. */
  path: (string | number)[]
  /**
   * Whether it is a stream label, for fields with few values. Others become structured metadata, which filters as well.
   */
  label?: boolean
  /** Whether it is an integer rather than text. */
  integer?: boolean
}

export const fields: Field[] = [
  { name: 'k8s.namespace.name', path: ['process', 'pod', 'namespace'], label: true },
  { name: 'tetragon.policy.name', path: ['policy_name'], label: true },
  { name: 'k8s.pod.name', path: ['process', 'pod', 'name'] },
  { name: 'k8s.container.name', path: ['process', 'pod', 'container', 'name'] },
  { name: 'k8s.workload.name', path: ['process', 'pod', 'workload'] },
  { name: 'process.executable.path', path: ['process', 'binary'] },
  { name: 'process.arguments', path: ['process', 'arguments'] },
  { name: 'process.pid', path: ['process', 'pid'], integer: true },
  { name: 'process.exec.id', path: ['process', 'exec_id'] },
  { name: 'process.parent.executable.path', path: ['parent', 'binary'] },
  { name: 'process.parent.exec.id', path: ['parent', 'exec_id'] },
  { name: 'tetragon.function.name', path: ['function_name'] },
  { name: 'tetragon.action', path: ['action'] },
  { name: 'tetragon.signal', path: ['signal'] },
  { name: 'tetragon.message', path: ['message'] },
]

/** Indexes of the arguments that are searched. */
const indexes = [0, 1, 2]

/**
 * Paths to a short text for the arguments of a call. The first that exists is used, so file paths come before other
 * text.
 */
export const argumentPaths: (string | number)[][] = [
  ...['file_arg', 'path_arg', 'linux_binprm_arg'].flatMap(kind => indexes.map(index => ['args', index, kind, 'path'])),
  ...indexes.map(index => ['args', index, 'string_arg']),
]

/** Path to a socket, whose two addresses are used as the text. */
export const socketPath: (string | number)[] = ['args', 0, 'sock_arg']

/** Paths to an address before its socket is connected, as in security_socket_connect. */
export const addressPaths: (string | number)[][] = [0, 1].map(index => ['args', index, 'sockaddr_arg'])

/**
 * Attributes that are derived from an event: its type, the policy's tags, the arguments as text, and whether it was
 * blocked.
 */
export const derived = {
  eventType: 'tetragon.event.type',
  tags: 'tetragon.tags',
  arguments: 'tetragon.args',
  blocked: 'tetragon.blocked',
} as const

/** Resource attributes that become stream labels in Loki. */
export const streamLabels = [
  'service.name',
  derived.eventType,
  ...fields.filter(field => field.label).map(field => field.name),
]

/** Service name of all events. */
export const serviceName = 'tetragon'

/**
 * Severities by the tag of a policy, with OpenTelemetry's number and that of syslog. The texts are levels that Loki
 * knows: it would copy any other text to `detected_level` as it is.
 */
export const severities = [
  { tag: 'severity.info', text: 'info', number: 9, syslog: 6 },
  { tag: 'severity.low', text: 'info', number: 10, syslog: 5 },
  { tag: 'severity.medium', text: 'warn', number: 13, syslog: 4 },
  { tag: 'severity.high', text: 'error', number: 17, syslog: 3 },
  { tag: 'severity.critical', text: 'critical', number: 21, syslog: 2 },
] as const

/** Severity of an event without a policy, or whose policy has no severity tag. */
export const defaultSeverity = severities[0]

/**
 * When an event counts as blocked: the process was killed by SIGKILL, or the call was refused. A policy in monitor mode
 * reports the same action although nothing was refused, and the event does not contain the mode. So policies that only
 * monitor are recognized by their name.
 */
export const blocked = {
  signal: 'SIGKILL',
  actions: ['KPROBE_ACTION_OVERRIDE', 'KPROBE_ACTION_NOTIFYENFORCER'],
  monitorPolicy: '-monitor$',
} as const
