import { formatTime } from '../../../stacks/monitoring/replay/time.ts'

// What the recording does not happen to hold, made for tests: each is an event after Tetragon's fashion that is easy to get wrong.

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
  'a process of the machine, in no pod': {
    process_exec: { process: { exec_id: 'a', pid: 1, binary: '/usr/bin/kubelet' } },
  },
  'nothing but its kind': { process_exit: {} },
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
  'overridden, but only watched': kprobe({
    action: 'KPROBE_ACTION_OVERRIDE',
    policy_name: 'deny-shadow-monitor',
    tags: ['severity.low'],
  }),
  'refused by an enforcer': kprobe({ action: 'KPROBE_ACTION_NOTIFYENFORCER', policy_name: 'no-swap' }),
  'refused by an enforcer, but only watched': kprobe({
    action: 'KPROBE_ACTION_NOTIFYENFORCER',
    policy_name: 'no-swap-monitor',
  }),
  'killed by a signal': { process_exit: { process, signal: 'SIGKILL' } },
  'ended by another signal': { process_exit: { process, signal: 'SIGTERM' } },
  'tags without a severity': kprobe({ policy_name: 'p', tags: ['one', 'two'] }),
  'two severities': kprobe({ policy_name: 'p', tags: ['severity.critical', 'severity.medium'] }),
  'no tags at all': kprobe({ policy_name: 'p', tags: [] }),
  'a path as second argument': kprobe({ args: [{ int_arg: -100 }, { string_arg: '/etc/passwd' }] }),
  'a file as third argument': kprobe({
    args: [{ string_arg: 'a name' }, { int_arg: 1 }, { file_arg: { path: '/etc/shadow' } }],
  }),
  'a path that is no open file': kprobe({ args: [{ path_arg: { path: '/etc/shadow', flags: '1' } }] }),
  'an address that is no socket yet': kprobe({
    args: [{ int_arg: 3 }, { sockaddr_arg: { family: 'AF_INET', addr: '10.96.0.1', port: 443 } }],
  }),
  'a socket': kprobe({ args: [{ sock_arg: { saddr: '::1', daddr: '10.96.0.1', dport: 443 } }] }),
  'a socket without an end': kprobe({ args: [{ sock_arg: { family: 'AF_INET', saddr: '10.0.0.1' } }] }),
  'a message': kprobe({ message: 'a "quoted" word, and = signs', policy_name: 'p' }),
  'what the rate limit kept back': { rate_limit_info: { number_of_dropped_process_events: '17' } },
}

/** The digits of a second that are written: none, three, six or nine. */
const fractions = [0n, 120_000_000n, 123_456_000n, 123_456_789n, 999_999_999n, 1n]

/** The lines, a second apart, up to now. */
export function awkwardLines(): string[] {
  const first = BigInt(Math.floor(Date.now() / 1000) - 60)
  return Object.values(events).map((event, index) => {
    const time = formatTime((first + BigInt(index)) * 1_000_000_000n + fractions[index % fractions.length]!)
    return JSON.stringify({ ...event, node_name: 'lab-control-plane', time })
  })
}

/** Lines that are no events. */
export const noEvents = ['not JSON at all', '{"process_exec":{"process":{"exec_id":"torn', '[1, 2]', '"text"']
