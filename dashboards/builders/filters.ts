// Selectors that apply the four variables of every dashboard. All is `.*`, which also matches a label that does not
// exist.

/** Matchers for Tetragon's metrics with workload labels: `tetragon_events_total`, `tetragon_policy_events_total`. */
export const workload = 'namespace=~"$namespace", pod=~"$pod", binary=~"$binary"'

/** Which events to select. */
export interface EventFilter {
  /** `process_exec`, `process_exit` or `process_kprobe`; all types by default. */
  type?: string
  /**
   * `selected` applies the variable, whose All includes events without a policy. `any` excludes events without a
   * policy. By default the variable does not apply.
   */
  policy?: 'selected' | 'any'
}

/**
 * Returns LogQL that selects Tetragon's events by the dashboard's variables. Namespace, type and policy are stream
 * labels. Pod and binary are structured metadata, so they are filters after the selector.
 */
export function events({ type, policy }: EventFilter = {}): string {
  const labels = ['service_name="tetragon"', 'k8s_namespace_name=~"$namespace"']
  if (type) labels.push(`tetragon_event_type="${type}"`)
  if (policy) labels.push('tetragon_policy_name=~"$policy"')
  if (policy === 'any') labels.push('tetragon_policy_name=~".+"')
  return `{${labels.join(', ')}} | k8s_pod_name=~"$pod" | process_executable_path=~"$binary"`
}

/** Selects violations: events of policies tagged medium or worse. */
export const violations = `${events({ policy: 'any' })} | detected_level=~"warn|error|critical"`

/**
 * Selects what was blocked. The event's action is not enough: it is what the policy requests, even in monitor mode. The
 * shipper sets `tetragon_blocked` on the exit of a killed process and on a call that an enforcing policy refused. An
 * exit has no policy, so the policy variable does not apply.
 */
export const blocked = `${events()} | tetragon_blocked="true"`

/** Selects violations that were not blocked. */
export const observed = `${violations} | tetragon_blocked!="true"`

/** Selects opened sensitive files: violations of policies on files. */
export const sensitiveFiles = `${violations} | tetragon_function_name=~"(security_)?(file|path|inode)_.*|fd_install|.*sys_open.*"`

/**
 * Selects TCP connections, with the remote address and port as `destination` and the remote address as `peer`. Only
 * events of one policy: every policy that hooks the function reports the same connection.
 */
export const connections = `${events({ type: 'process_kprobe', policy: 'selected' }).replace('}', ', tetragon_policy_name="tcp-connect"}')} | tetragon_function_name="tcp_connect" | tetragon_args=~".+ -> .+" | label_format destination=\`{{ regexReplaceAll "^.* -> " .tetragon_args "" }}\` | label_format peer=\`{{ regexReplaceAll "^::ffff:|:[0-9]+$" .destination "" }}\``

const privateRanges = [
  ...['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '127.0.0.0/8', '169.254.0.0/16'],
  ...['::1/128', 'fc00::/7', 'fe80::/10'],
]

/** Selects connections to an address outside the private ranges. */
export const publicConnections = `${connections} ${privateRanges.map(range => `| peer!=ip("${range}")`).join(' ')}`

// Parts of a template for a line. A field that an event lacks is empty.
const pod = '{{ or .k8s_pod_name "(node)" }}'
const program = '{{ .process_executable_path }}'
const whatHappened = [
  '{{ if eq .tetragon_event_type "process_exec" }}started',
  '{{ else if .tetragon_signal }}killed by {{ .tetragon_signal }}',
  '{{ else if eq .tetragon_event_type "process_exit" }}exited',
  '{{ else }}{{ or .tetragon_message .tetragon_function_name }} {{ .tetragon_args }}',
  '{{ if .tetragon_blocked }} (blocked){{ end }}{{ end }}',
].join('')

/** Formats any event as one line that a person can read. */
export const readable = `| line_format \`${pod}  ${program} {{ .process_arguments }}  →  ${whatHappened}\``

/** Does the same, and keeps the event itself as the label `event`. */
export const readableWithEvent = `| label_format event=\`{{ __line__ }}\` ${readable}`

/** Adds what happened as the label `happened`. */
export const happened = `| label_format happened=\`${whatHappened}\``

/** Formats any event as the text of a mark on a graph. */
export const markText = `| line_format \`${pod}: ${program} ${whatHappened}\``

/** Makes a selector independent of the dashboard's variables. */
export const unfiltered = (selector: string): string => selector.replaceAll(/\$(namespace|pod|policy|binary)/g, '.*')
