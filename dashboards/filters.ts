// How the four variables narrow a query. Both languages read `.*`, which All stands for, as "also where there is none".

/** Matchers for Tetragon's metrics that carry a workload: `tetragon_events_total`, `tetragon_policy_events_total`. */
export const workload = 'namespace=~"$namespace", pod=~"$pod", binary=~"$binary"'

/** Which events: without a type all of them, with `policy` only those that a policy asked for. */
export interface EventFilter {
  /** `process_exec`, `process_exit`, `process_kprobe`; an exact match. */
  type?: string
  /**
   * `chosen`: follows the variable, which under All lets exec and exit through; `any`: every event of a policy;
   * left out: the variable plays no part, for what has no policy.
   */
  policy?: 'chosen' | 'any'
}

/**
 * The LogQL selector of Tetragon's events under the dashboard's variables. Namespace, type and policy are labels of the
 * stream; pod and binary are structured metadata, so they are filtered behind it.
 */
export function events({ type, policy }: EventFilter = {}): string {
  const labels = ['service_name="tetragon"', 'k8s_namespace_name=~"$namespace"']
  if (type) labels.push(`tetragon_event_type="${type}"`)
  if (policy) labels.push('tetragon_policy_name=~"$policy"')
  if (policy === 'any') labels.push('tetragon_policy_name=~".+"')
  return `{${labels.join(', ')}} | k8s_pod_name=~"$pod" | process_executable_path=~"$binary"`
}

/** Events of policies that are tagged medium or worse: what the lab calls a violation. */
export const violations = `${events({ policy: 'any' })} | detected_level=~"warn|error|critical"`

/**
 * What was stopped. Not by the event's action: that names what the policy asks for, in monitor mode too. The shipper sets
 * this mark on the exit of a killed process, and on a call that an enforcing policy refused. An exit has no policy, so the choice of one plays
 * no part.
 */
export const blocked = `${events()} | tetragon_blocked="true"`

/** Events that a policy reported and let happen. */
export const observed = `${violations} | tetragon_blocked!="true"`

/** Files of sensitive places that were opened: events of file policies tagged medium or worse. */
export const sensitiveFiles = `${violations} | tetragon_function_name=~"(security_)?(file|path|inode)_.*|fd_install|.*sys_open.*"`

/**
 * Connections that were opened, with the address and port of the other side as `destination`, and its address as `peer`. Of one policy: each that
 * hooks the function reports the same connection.
 */
export const connections = `${events({ type: 'process_kprobe', policy: 'chosen' }).replace('}', ', tetragon_policy_name="tcp-connect"}')} | tetragon_function_name="tcp_connect" | tetragon_args=~".+ -> .+" | label_format destination=\`{{ regexReplaceAll "^.* -> " .tetragon_args "" }}\` | label_format peer=\`{{ regexReplaceAll "^::ffff:|:[0-9]+$" .destination "" }}\``

const privateRanges = [
  ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '127.0.0.0/8', '169.254.0.0/16'],
  ...['::1/128', 'fc00::/7', 'fe80::/10'],
]

/** Connections to an address that is in no private range. */
export const publicConnections = `${connections} ${privateRanges.map(range => `| peer!=ip("${range}")`).join(' ')}`

/** An event as one short line, whatever its type. */
export const shortLine =
  '| line_format `{{ .tetragon_event_type }}  {{ .k8s_namespace_name }}/{{ .k8s_pod_name }}  {{ .process_executable_path }} {{ .process_arguments }} {{ .tetragon_function_name }} {{ .tetragon_args }} {{ .tetragon_signal }}`'
