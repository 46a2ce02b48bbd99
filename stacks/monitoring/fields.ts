// What is lifted out of an event on its way to Loki: the one table that both shippers are configured from, so that every query works
// the same with either. The event itself travels on untouched, as the line.

/** The kinds of event that Tetragon writes: the key that holds the event. */
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
  // Not of a process: how many events the rate limit has kept out of the file.
  'rate_limit_info',
] as const

/** A value that is lifted. */
export interface Field {
  /** Attribute name after OpenTelemetry's fashion. Loki writes its dots as underscores. */
  name: string
  /** Where it is, inside the event. A number is a place in a list, counted from 0. */
  path: (string | number)[]
  /** A label of the stream: only what takes few values. All else is structured metadata, which is filtered just as well. */
  label?: boolean
  /** A whole number; all else is text. */
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

/** Places among the arguments that are looked at. */
const places = [0, 1, 2]

/** A short text of what a hook was called with: the first of these that is there. Paths before other text; of a socket, both its ends. */
export const argumentPaths: (string | number)[][] = [
  ...['file_arg', 'path_arg', 'linux_binprm_arg'].flatMap(kind => places.map(place => ['args', place, kind, 'path'])),
  ...places.map(place => ['args', place, 'string_arg']),
]

/** Where a socket stands among the arguments. */
export const socketPath: (string | number)[] = ['args', 0, 'sock_arg']

/** Where an address that is not a socket's yet stands, as at security_socket_connect. */
export const addressPaths: (string | number)[][] = [0, 1].map(place => ['args', place, 'sockaddr_arg'])

/** Attributes besides those of the table: the kind of event, the policy's tags, what a hook was called with, and whether it was stopped. */
export const derived = {
  eventType: 'tetragon.event.type',
  tags: 'tetragon.tags',
  arguments: 'tetragon.args',
  blocked: 'tetragon.blocked',
} as const

/** Resource attributes that become labels of a stream in Loki. */
export const streamLabels = [
  'service.name',
  derived.eventType,
  ...fields.filter(field => field.label).map(field => field.name),
]

/** The service that all events belong to. */
export const serviceName = 'tetragon'

/**
 * Severity from a policy's tag. Only names that Loki knows as levels, because a text of another kind would end up as it is in
 * `detected_level`. The number is OpenTelemetry's, the third that of syslog.
 */
export const severities = [
  { tag: 'severity.info', text: 'info', number: 9, syslog: 6 },
  { tag: 'severity.low', text: 'info', number: 10, syslog: 5 },
  { tag: 'severity.medium', text: 'warn', number: 13, syslog: 4 },
  { tag: 'severity.high', text: 'error', number: 17, syslog: 3 },
  { tag: 'severity.critical', text: 'critical', number: 21, syslog: 2 },
] as const

/** The severity of an event whose policy has no such tag, or that no policy made: the first. */
export const unmarked = severities[0]

/**
 * When an event counts as blocked. A process that ended by SIGKILL was stopped. A refused call was stopped too, but the event of a policy in
 * monitor mode says the same although nothing was done, and carries no mode; so policies that only watch are told by their name.
 */
export const blocked = {
  signal: 'SIGKILL',
  actions: ['KPROBE_ACTION_OVERRIDE', 'KPROBE_ACTION_NOTIFYENFORCER'],
  monitorPolicy: '-monitor$',
} as const
