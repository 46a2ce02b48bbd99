import { formatTime } from '../../../stacks/monitoring/replay/time.ts'

// Events in Tetragon's format that the recording does not contain and that are easy to get wrong.

/** A process in a pod. */
const process = {
  exec_id: 'bGFi',
  pid: 4294967295,
  binary: '/bin/sh',
  arguments: '-c "echo \\"ü ∑ 🦭\\"" \t\u0001 \\ / </script> & \u2028',
  pod: { namespace: 'application', name: 'visitor', container: { name: 'visitor' }, workload: 'visitor' },
}
const kprobe = (event: object) => ({ process_kprobe: { process, function_name: '__x64_sys_openat', ...event } })

const events: Record<string, object> = {
  'text beyond ASCII, escapes, a number above 2^31': { process_exec: { process, parent: { binary: '/sbin/init' } } },
  'a process of the host, in no pod': {
    process_exec: { process: { exec_id: 'a', pid: 1, binary: '/usr/bin/kubelet' } },
  },
  'only a type': { process_exit: {} },
  'a tracepoint': { process_tracepoint: { process, subsys: 'raw_syscalls', event: 'sys_exit', policy_name: 'p' } },
  'an LSM hook with a path': {
    process_lsm: {
      process,
      function_name: 'file_open',
      policy_name: 'p',
      args: [{ file_arg: { path: '/etc/shadow' } }],
    },
  },
  overridden: kprobe({ action: 'KPROBE_ACTION_OVERRIDE', policy_name: 'deny-shadow', tags: ['severity.high', 'file'] }),
  'overridden in monitor mode': kprobe({
    action: 'KPROBE_ACTION_OVERRIDE',
    policy_name: 'deny-shadow-monitor',
    tags: ['severity.low'],
  }),
  'refused by an enforcer': kprobe({ action: 'KPROBE_ACTION_NOTIFYENFORCER', policy_name: 'no-swap' }),
  'refused by an enforcer in monitor mode': kprobe({
    action: 'KPROBE_ACTION_NOTIFYENFORCER',
    policy_name: 'no-swap-monitor',
  }),
  'killed by a signal': { process_exit: { process, signal: 'SIGKILL' } },
  'exited on another signal': { process_exit: { process, signal: 'SIGTERM' } },
  'tags without a severity': kprobe({ policy_name: 'p', tags: ['one', 'two'] }),
  'two severities': kprobe({ policy_name: 'p', tags: ['severity.critical', 'severity.medium'] }),
  'an empty list of tags': kprobe({ policy_name: 'p', tags: [] }),
  'a path as second argument': kprobe({ args: [{ int_arg: -100 }, { string_arg: '/etc/passwd' }] }),
  'a file as third argument': kprobe({
    args: [{ string_arg: 'a name' }, { int_arg: 1 }, { file_arg: { path: '/etc/shadow' } }],
  }),
  'a path without an open file': kprobe({ args: [{ path_arg: { path: '/etc/shadow', flags: '1' } }] }),
  'an address without a socket': kprobe({
    args: [{ int_arg: 3 }, { sockaddr_arg: { family: 'AF_INET', addr: '10.96.0.1', port: 443 } }],
  }),
  'a socket': kprobe({ args: [{ sock_arg: { saddr: '::1', daddr: '10.96.0.1', dport: 443 } }] }),
  'a socket without a remote address': kprobe({ args: [{ sock_arg: { family: 'AF_INET', saddr: '10.0.0.1' } }] }),
  'a message': kprobe({ message: 'a "quoted" word, and = signs', policy_name: 'p' }),
  'events that the rate limit dropped': { rate_limit_info: { number_of_dropped_process_events: '17' } },
}

/** Fractions of a second with 0, 3, 6 and 9 digits. */
const fractions = [0n, 120_000_000n, 123_456_000n, 123_456_789n, 999_999_999n, 1n]

/** Returns the edge cases as lines, one second apart and up to now. */
export function edgeCaseLines(): string[] {
  const first = BigInt(Math.floor(Date.now() / 1000) - 60)
  return Object.values(events).map((event, index) => {
    const time = formatTime((first + BigInt(index)) * 1_000_000_000n + fractions[index % fractions.length]!)
    return JSON.stringify({ ...event, node_name: 'lab-control-plane', time })
  })
}

/** Lines that are not events. */
export const invalidLines = ['not JSON at all', '{"process_exec":{"process":{"exec_id":"torn', '[1, 2]', '"text"']
