import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import leven from 'leven'
import { projectDir } from '../../../shared/paths.ts'
import type { Path } from '../../../shared/validation/yaml-source.ts'
import { type Hook, isSyscallName, items, type Policy, sections } from '../model/policy-model.ts'
import type { Rule } from './rule.ts'

// What a policy attaches to.

/** Hooks that take a function of the kernel by its name. */
const kernelCalls = (policy: Policy): Hook[] =>
  policy.hooks.filter(({ section, name }) => (section === 'kprobes' || section === 'fentries') && name !== '')

const isList = (hook: Hook): boolean => hook.name.startsWith('list:')

/** Functions that are called so often that a hook on one, unfiltered, costs more than it shows. */
const hot = new Set(
  [
    ...'openat read write close mmap futex ioctl poll epoll_wait recvmsg sendmsg'.split(' ').map(name => `sys_${name}`),
    ...'security_file_permission security_file_open security_mmap_file security_inode_permission'.split(' '),
    ...'security_inode_getattr security_socket_recvmsg security_socket_sendmsg fd_install vfs_read vfs_write'.split(
      ' ',
    ),
    ...'tcp_sendmsg tcp_recvmsg ip_output kfree_skb_reason __fput'.split(' '),
  ].flatMap(name => [name, `__x64_${name}`, `__arm64_${name}`]),
)

/** Tracepoints that are passed as often. */
const hotTracepoints = new Set([
  ...['raw_syscalls/sys_enter', 'raw_syscalls/sys_exit'],
  ...['sched/sched_switch', 'sched/sched_waking', 'sched/sched_wakeup', 'timer/hrtimer_start', 'timer/timer_start'],
  ...['kmem/kmalloc', 'kmem/kfree', 'kmem/kmem_cache_alloc', 'kmem/kmem_cache_free', 'kmem/mm_page_alloc'],
  ...['skb/kfree_skb', 'skb/consume_skb', 'net/net_dev_queue', 'net/net_dev_xmit', 'net/netif_receive_skb'],
  ...'openat read write close mmap futex'
    .split(' ')
    .flatMap(name => [`syscalls/sys_enter_${name}`, `syscalls/sys_exit_${name}`]),
])

const startsProgram = /^(security_bprm_|bprm_)|^(__x64_|__arm64_)?sys_execve/

/** Whether a hook is at something that every program does, even to be started. */
export const isEverywhere = (hook: Hook): boolean =>
  hot.has(hook.name) ||
  hotTracepoints.has(hook.name) ||
  startsProgram.test(hook.name) ||
  (hook.section === 'lsmhooks' && hot.has(`security_${hook.name}`))

const linesOf = (file: string): string[] =>
  readFileSync(join(projectDir, 'policies', 'schema', file), 'utf8')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))

let symbols: Set<string> | undefined
/** Functions of a recent kernel, for when nothing is known about the one at hand. */
function knownSymbols(): Set<string> {
  symbols ??= new Set(linesOf('symbols.txt'))
  return symbols
}

let tracepoints: Set<string> | undefined
/** Tracepoints of a recent kernel, as subsystem/event. */
function knownTracepoints(): Set<string> {
  tracepoints ??= new Set([
    ...linesOf('tracepoints.txt').flatMap(line => {
      const [subsystem, events = ''] = line.split(': ')
      return events.split(' ').map(event => `${subsystem}/${event}`)
    }),
    ...[...knownSymbols()]
      .filter(name => name.startsWith('sys_'))
      .flatMap(name => ['enter', 'exit'].map(end => `syscalls/sys_${end}_${name.slice('sys_'.length)}`)),
  ])
  return tracepoints
}

export const hookRules: Rule[] = [
  {
    id: 'no-hook',
    level: 'error',
    why: 'A policy without kprobes, tracepoints, lsmhooks, uprobes, usdts or fentries is loaded, and does nothing.',
    check({ spec, hooks }, report) {
      if (hooks.length > 0 || spec.loader === true || (Array.isArray(spec.enforcers) && spec.enforcers.length > 0))
        return
      report(['spec'], 'nothing is hooked', 'add spec.kprobes with at least one call')
    },
  },
  {
    id: 'one-section',
    level: 'error',
    why: 'The agent refuses a policy that holds more than one kind of hook.',
    check({ hooks }, report) {
      const used = sections.filter(section => hooks.some(hook => hook.section === section))
      if (used.length > 1)
        report(['spec', used[1]!], `${used.join(' and ')} in one policy`, `make one policy of each: ${used.join(', ')}`)
    },
  },
  {
    id: 'syscall-flag',
    level: 'error',
    why: '`syscall` is true where it is left out. The agent then looks for a system call of that name, __x64_ in front, and refuses the policy; the other way round it looks for a function that does not exist.',
    check(policy, report) {
      for (const hook of kernelCalls(policy)) {
        if (isList(hook) || hook.section !== 'kprobes') continue
        const isSyscall = isSyscallName(hook.name)
        if (!isSyscall && hook.syscall !== false) {
          const like = knownSymbols().has(`sys_${hook.name}`)
          report(
            [...hook.path, hook.syscall ? 'syscall' : 'call'],
            hook.syscall
              ? `${hook.name} is no system call, but syscall is true`
              : `${hook.name} is no system call, and syscall is left out`,
            like ? `write call: sys_${hook.name}` : 'add syscall: false',
          )
        }
        if (isSyscall && hook.syscall === false)
          report(
            [...hook.path, 'syscall'],
            `${hook.name} is a system call, but syscall is false`,
            'write syscall: true',
          )
      }
    },
  },
  {
    id: 'unknown-hook',
    level: 'warn',
    why: 'The agent refuses a policy when the kernel has no function or tracepoint of that name, unless ignore.callNotFound is set; then the hook is left out.',
    check(policy, report, { kernel }) {
      const symbols = kernel?.symbols ?? knownSymbols()
      const where = kernel?.symbols ? "this kernel's symbols" : 'the functions that the lab knows'
      const look = (path: Path, name: string, candidates: string[], prefix: string): void => {
        if (candidates.some(candidate => symbols.has(candidate))) return
        if (!/^[A-Za-z_][\w.]*$/.test(name)) {
          report(path, `${JSON.stringify(name)} is no name of a function`, 'write one of /proc/kallsyms', 'error')
          return
        }
        const near = nearest(candidates.at(-1)!, symbols)?.replace(prefix, '')
        report(
          path,
          `${name} is not among ${where}`,
          near ? `did you mean ${near}?` : `look it up: grep -w ${name} /proc/kallsyms`,
          kernel?.symbols ? 'error' : 'warn',
        )
      }
      for (const hook of kernelCalls(policy)) {
        if (isList(hook) || (hook.spec.ignore as { callNotFound?: boolean } | undefined)?.callNotFound) continue
        // A wrong flag is another rule's business.
        if (hook.syscall !== false && !isSyscallName(hook.name)) continue
        const bare = hook.name.replace(/^__(x64|arm64)_(?=sys_)/, '')
        const asSyscall = isSyscallName(hook.name) ? [`__x64_${bare}`, `__arm64_${bare}`, bare] : [hook.name]
        look([...hook.path, 'call'], hook.name, asSyscall, '')
      }
      for (const hook of policy.hooks)
        if (hook.section === 'lsmhooks' && hook.name !== '' && !hook.name.startsWith('security_'))
          look([...hook.path, 'hook'], hook.name, [`bpf_lsm_${hook.name}`], 'bpf_lsm_')
      // Drivers and file systems bring more than the lab knows.
      for (const hook of policy.hooks)
        if (hook.section === 'tracepoints' && hook.spec.raw !== true && !knownTracepoints().has(hook.name)) {
          const near = nearest(hook.name, knownTracepoints())
          report(
            [...hook.path, near?.endsWith(`/${hook.name.split('/')[1]}`) ? 'subsystem' : 'event'],
            `${hook.name} is not among the tracepoints that the lab knows`,
            near
              ? `did you mean ${near}?`
              : `look it up: sudo grep ${hook.name.replace('/', ':')} /sys/kernel/tracing/available_events`,
          )
        }
    },
  },
  {
    id: 'lsm-prefix',
    level: 'error',
    why: 'An LSM hook is named without security_; the agent looks for bpf_lsm_ and the name, and refuses what it does not find.',
    check(policy, report) {
      for (const hook of policy.hooks)
        if (hook.section === 'lsmhooks' && /^(security|bpf_lsm)_/.test(hook.name)) {
          const bare = hook.name.replace(/^(security|bpf_lsm)_/, '')
          const exact = knownSymbols().has(`bpf_lsm_${bare}`)
            ? bare
            : (nearest(`bpf_lsm_${bare}`, knownSymbols())?.replace('bpf_lsm_', '') ?? bare)
          report([...hook.path, 'hook'], `${hook.name} has a prefix`, `write hook: ${exact}`)
        }
    },
  },
  {
    id: 'twice-hooked',
    level: 'error',
    why: 'Where the kernel has kprobe_multi (amd64 from 5.18), the agent refuses two hooks of one policy on the same function.',
    check(policy, report) {
      if (policy.options.some(({ name, value }) => name === 'disable-kprobe-multi' && isTrue(value))) return
      const seen = new Map<string, number>()
      for (const hook of kernelCalls(policy)) {
        const bare = hook.name.replace(/^__(x64|arm64)_(?=sys_)/, '')
        const first = seen.get(bare)
        if (first === undefined) seen.set(bare, hook.path.at(-1) as number)
        else
          report(
            [...hook.path, 'call'],
            `${hook.name} is hooked twice, first by ${hook.section}[${first}]`,
            'put the selectors under one hook (up to five), or add the option {name: disable-kprobe-multi, value: "1"}',
          )
      }
    },
  },
  {
    id: 'list',
    level: 'error',
    why: 'A name after list: is looked up in spec.lists. A list of system calls names them as sys_openat, with an ABI in front if need be (x64/sys_openat); a generated one brings its own values.',
    check(policy, report) {
      const lists = items(policy.spec.lists, ['spec', 'lists'])
      const names = new Set(lists.map(({ spec }) => spec.name))
      for (const hook of kernelCalls(policy).filter(isList))
        if (!names.has(hook.name.slice('list:'.length)))
          report([...hook.path, 'call'], `${hook.name} has no list`, 'add it to spec.lists')
      for (const { path, spec } of lists) {
        const values = Array.isArray(spec.values) ? spec.values.map(String) : []
        if (spec.type === 'syscalls')
          for (const [index, value] of values.entries())
            if (!/^([a-z0-9]+\/)?(__(x64|arm64|ia32)_)?sys_[a-z0-9_]+$/.test(value))
              report(
                [...path, 'values', index],
                `${value} in a list of system calls`,
                `write sys_${value.replace(/^sys_?/, '')}`,
              )
        if (String(spec.type).startsWith('generated_') && values.length > 0)
          report([...path, 'values'], `values in a list of type ${spec.type}`, 'drop them, or write type: syscalls')
        if (spec.type === 'generated_ftrace' && !spec.pattern)
          report(path, 'a list of type generated_ftrace without a pattern', 'add pattern, as in pattern: "^ksys_*"')
      }
    },
  },
  {
    id: 'hot-hook',
    level: 'warn',
    why: 'A function that every program calls all the time, hooked in every pod and with nothing to filter by, makes thousands of events a second, and slows what it watches.',
    check(policy, report) {
      const { podSelector, containerSelector } = policy.spec as Record<string, Record<string, unknown> | undefined>
      const scoped = [podSelector, containerSelector].some(selector => selector && Object.keys(selector).length > 0)
      if (scoped) return
      for (const hook of policy.hooks) {
        const filtered = hook.selectors.some(({ args, binaries, spec }) =>
          [args, binaries, spec.matchPIDs, spec.macros].some(filter => Array.isArray(filter) && filter.length > 0),
        )
        const often = hook.section === 'tracepoints' ? hotTracepoints.has(hook.name) : hot.has(hook.name)
        if (often && !filtered)
          report(
            [...hook.path, hook.section === 'tracepoints' ? 'event' : 'call'],
            hook.section === 'tracepoints'
              ? `every pass of ${hook.name} makes an event`
              : `every call of ${hook.name} makes an event`,
            'add matchArgs or matchBinaries, or a podSelector with labels',
          )
      }
    },
  },
]

/** As Go's strconv.ParseBool takes it, for the options of the agent. */
export const isTrue = (value: string): boolean => ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(value)

/** The known name that a name was most likely meant to be; undefined where none is near. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  let best: { candidate: string; distance: number } | undefined
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - name.length) > 3) continue
    const distance = leven(name, candidate)
    if (distance <= 3 && (!best || distance < best.distance)) best = { candidate, distance }
  }
  return best?.candidate
}
