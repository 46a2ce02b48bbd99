import { parseTime } from '../../../stacks/monitoring/replay/time.ts'

// A reference implementation of what an event should become in Loki, to compare both shippers with.

/** An event in Loki. */
export interface StoredEvent {
  /** Nanoseconds since 1970. */
  time: bigint
  line: string
  labels: Record<string, string>
  metadata: Record<string, string>
}

interface Process {
  binary?: string
  arguments?: string
  pid?: number
  exec_id?: string
  pod?: { namespace?: string; name?: string; workload?: string; container?: { name?: string } }
}

interface Argument {
  file_arg?: { path?: string }
  path_arg?: { path?: string }
  linux_binprm_arg?: { path?: string }
  string_arg?: string
  sock_arg?: { saddr?: string; daddr?: string; dport?: number }
  sockaddr_arg?: { addr?: string; port?: number }
}

interface Event {
  process?: Process
  parent?: Process
  policy_name?: string
  function_name?: string
  action?: string
  signal?: string
  message?: string
  tags?: string[]
  args?: Argument[]
}

/** Returns the event that a line should become. */
export function expectedEvent(line: string): StoredEvent {
  const whole = JSON.parse(line) as { time: string } & Record<string, Event>
  const type = Object.keys(whole).find(key => key.startsWith('process_') || key === 'rate_limit_info')!
  const event = whole[type]!
  const pod = event.process?.pod
  const tags = event.tags ?? []
  const [number, text] = severityOf(tags)
  return {
    time: parseTime(whole.time),
    line,
    labels: withoutUndefined({
      service_name: 'tetragon',
      tetragon_event_type: type,
      k8s_namespace_name: pod?.namespace,
      tetragon_policy_name: event.policy_name,
    }),
    metadata: withoutUndefined({
      k8s_pod_name: pod?.name,
      k8s_container_name: pod?.container?.name,
      k8s_workload_name: pod?.workload,
      process_executable_path: event.process?.binary,
      process_arguments: event.process?.arguments,
      process_pid: event.process?.pid,
      process_exec_id: event.process?.exec_id,
      process_parent_executable_path: event.parent?.binary,
      process_parent_exec_id: event.parent?.exec_id,
      tetragon_function_name: event.function_name,
      tetragon_action: event.action,
      tetragon_signal: event.signal,
      tetragon_message: event.message,
      tetragon_tags: tags.length > 0 ? tags.join(',') : undefined,
      tetragon_args: argumentsOf(event.args ?? []),
      tetragon_blocked: wasBlocked(event) ? 'true' : undefined,
      severity_text: text,
      severity_number: number,
    }),
  }
}

function severityOf(tags: string[]): [number, string] {
  if (tags.includes('severity.critical')) return [21, 'critical']
  if (tags.includes('severity.high')) return [17, 'error']
  if (tags.includes('severity.medium')) return [13, 'warn']
  if (tags.includes('severity.low')) return [10, 'info']
  return [9, 'info']
}

function argumentsOf(args: Argument[]): string | undefined {
  const first = args.slice(0, 3)
  const socket = first[0]?.sock_arg
  if (socket?.saddr && socket.daddr && socket.dport) return `${socket.saddr} -> ${socket.daddr}:${socket.dport}`
  const found = <T>(pick: (argument: Argument) => T | undefined): T | undefined =>
    first.map(pick).find(value => value !== undefined)
  const address = first.slice(0, 2).find(({ sockaddr_arg: end }) => end?.addr && end.port)?.sockaddr_arg
  return (
    found(argument => argument.file_arg?.path) ??
    found(argument => argument.path_arg?.path) ??
    found(argument => argument.linux_binprm_arg?.path) ??
    found(argument => argument.string_arg) ??
    (address && `${address.addr}:${address.port}`)
  )
}

const wasBlocked = ({ signal, action, policy_name = '' }: Event): boolean =>
  signal === 'SIGKILL' || (/_(OVERRIDE|NOTIFYENFORCER)$/.test(action ?? '') && !policy_name.endsWith('-monitor'))

const withoutUndefined = (values: Record<string, string | number | undefined>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]),
  )
