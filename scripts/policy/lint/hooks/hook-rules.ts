import type { Path } from '../../../../shared/validation/yaml-source.ts'
import {
  isSyscallName,
  knownFunctions,
  knownTracepoints,
  nearestKernelName,
  withoutArchPrefix,
} from '../../model/kernel-names.ts'
import {
  type ArgumentFilter,
  argumentFiltersOf,
  bareName,
  type Hook,
  type Item,
  isFiltered,
  isKprobeMultiDisabled,
  itemsOf,
  type Policy,
  type Section,
  sections,
} from '../../model/policy-model.ts'
import type { Report, Rule } from '../rule.ts'

// What a policy attaches to, and the lists of functions that it attaches to.

/** Returns the hooks that name a kernel function. */
const functionHooks = (policy: Policy): Hook[] =>
  policy.hooks.filter(({ section, name }) => (section === 'kprobes' || section === 'fentries') && name !== '')

const isList = (hook: Hook): boolean => hook.name.startsWith('list:')

/** Functions that are called so often that an unfiltered hook costs more than it is worth. */
const hotFunctions = new Set(
  [
    ...'openat read write close mmap futex ioctl poll epoll_wait recvmsg sendmsg'.split(' ').map(name => `sys_${name}`),
    ...'security_file_permission security_file_open security_mmap_file security_inode_permission'.split(' '),
    ...'security_inode_getattr security_socket_recvmsg security_socket_sendmsg fd_install vfs_read vfs_write'.split(
      ' ',
    ),
    ...'tcp_sendmsg tcp_recvmsg ip_output kfree_skb_reason sk_skb_reason_drop __fput'.split(' '),
  ].flatMap(name => [name, `__x64_${name}`, `__arm64_${name}`]),
)

const hotTracepoints = new Set([
  ...['raw_syscalls/sys_enter', 'raw_syscalls/sys_exit'],
  ...['sched/sched_switch', 'sched/sched_waking', 'sched/sched_wakeup', 'timer/hrtimer_start', 'timer/timer_start'],
  ...['kmem/kmalloc', 'kmem/kfree', 'kmem/kmem_cache_alloc', 'kmem/kmem_cache_free', 'kmem/mm_page_alloc'],
  ...['skb/kfree_skb', 'skb/consume_skb', 'net/net_dev_queue', 'net/net_dev_xmit', 'net/netif_receive_skb'],
  ...'openat read write close mmap futex'
    .split(' ')
    .flatMap(name => [`syscalls/sys_enter_${name}`, `syscalls/sys_exit_${name}`]),
])

const isHot = ({ section, name }: Hook): boolean =>
  section === 'tracepoints' ? hotTracepoints.has(name) : hotFunctions.has(name)

/** The keys that name each kind of hook, with an example. */
const nameKeys: Record<Section, Record<string, string>> = {
  kprobes: { call: 'security_file_open' },
  fentries: { call: 'security_file_open' },
  lsmhooks: { hook: 'file_open' },
  tracepoints: { subsystem: 'sched', event: 'sched_process_exec' },
  uprobes: { path: '/usr/bin/bash' },
  usdts: { path: '/usr/lib/libc.so.6', provider: 'libc', name: 'setjmp' },
}

/** What `uname -m` prints, by the prefix of system calls. */
const archNames: Record<string, string[]> = { x64: ['x86_64', 'amd64'], arm64: ['aarch64', 'arm64'] }

const programStart = /^(security_bprm_|bprm_)|^(__x64_|__arm64_)?sys_execve/

/** Returns whether every program passes a hook, even while it is started. */
export const isOnEveryProgramsPath = (hook: Hook): boolean =>
  hotFunctions.has(hook.name) ||
  hotTracepoints.has(hook.name) ||
  programStart.test(hook.name) ||
  (hook.section === 'lsmhooks' && hotFunctions.has(`security_${hook.name}`))

export const hookRules: Rule[] = [
  {
    id: 'no-hook',
    level: 'error',
    why: 'The agent loads a policy without kprobes, tracepoints, lsmhooks, uprobes, usdts or fentries, but it does nothing.',
    check({ spec, hooks }, report) {
      const hasEnforcer = Array.isArray(spec.enforcers) && spec.enforcers.length > 0
      if (hooks.length === 0 && spec.loader !== true && !hasEnforcer)
        report(['spec'], 'The policy has no hook', 'Add spec.kprobes with at least one call')
    },
  },
  {
    id: 'hook-name',
    level: 'error',
    why: 'The agent refuses a policy in which a hook has no name.',
    check({ hooks }, report) {
      for (const { section, path, spec } of hooks)
        for (const [key, example] of Object.entries(nameKeys[section]))
          if (spec[key] === '')
            report([...path, key], `A hook has no name: ${key} is empty`, `Write ${key}: ${example}`)
    },
  },
  {
    id: 'arch-prefix',
    level: 'warn',
    why: 'The agent adds the prefix of its machine to the name of a system call. A name with the prefix of another architecture does not exist there, so the agent refuses the policy.',
    check(policy, report, { kernel }) {
      const checkName = (name: string, path: Path): void => {
        const [, arch, bare] = /^(?:__)?(x64|arm64)[_/](?:__(?:x64|arm64)_)?(sys_\w+)$/.exec(name) ?? []
        if (!arch || (kernel?.arch && archNames[arch]!.includes(kernel.arch))) return
        report(
          path,
          `${name} exists only on ${arch === 'x64' ? 'amd64' : 'arm64'}`,
          `Write ${bare}`,
          kernel?.arch ? 'error' : 'warn',
        )
      }
      for (const hook of functionHooks(policy)) checkName(hook.name, [...hook.path, 'call'])
      for (const { path, spec } of itemsOf(policy.spec.lists, ['spec', 'lists']))
        for (const [index, value] of valuesOf(spec).entries()) checkName(value, [...path, 'values', index])
      for (const { path, spec } of itemsOf(policy.spec.enforcers, ['spec', 'enforcers']))
        for (const [index, call] of (Array.isArray(spec.calls) ? spec.calls.map(String) : []).entries())
          checkName(call, [...path, 'calls', index])
    },
  },
  {
    id: 'one-section',
    level: 'error',
    why: 'The agent refuses a policy with more than one kind of hook.',
    check({ hooks }, report) {
      const used = sections.filter(section => hooks.some(hook => hook.section === section))
      if (used.length > 1)
        report(['spec', used[1]!], `The policy has ${used.join(' and ')}`, 'Write one policy for each kind of hook')
    },
  },
  {
    id: 'syscall-flag',
    level: 'error',
    why: '`syscall` defaults to true. The agent then looks for a system call of that name and refuses the policy. With syscall: false on a system call, it looks for a function that does not exist.',
    check(policy, report) {
      for (const hook of functionHooks(policy)) {
        if (isList(hook) || hook.section !== 'kprobes') continue
        const isSyscall = isSyscallName(hook.name)
        if (!isSyscall && hook.syscall !== false)
          report(
            [...hook.path, hook.syscall ? 'syscall' : 'call'],
            `${hook.name} is not a system call, but syscall ${hook.syscall ? 'is true' : 'defaults to true'}`,
            knownFunctions().has(`sys_${hook.name}`) ? `Write call: sys_${hook.name}` : 'Add syscall: false',
          )
        if (isSyscall && hook.syscall === false)
          report(
            [...hook.path, 'syscall'],
            `${hook.name} is a system call, but syscall is false`,
            'Write syscall: true',
          )
      }
    },
  },
  {
    id: 'unknown-hook',
    level: 'warn',
    why: 'The agent refuses a policy if the kernel has no function or tracepoint of that name. With ignore.callNotFound it skips the hook instead.',
    check(policy, report, { kernel }) {
      checkFunctionNames(policy, report, kernel?.symbols)
      checkTracepointNames(policy, report, kernel?.tracepoints)
    },
  },
  {
    id: 'twice-hooked',
    level: 'error',
    why: 'On kernels with kprobe_multi (amd64 from 5.18), the agent refuses two hooks of one policy on the same function.',
    check(policy, report) {
      if (isKprobeMultiDisabled(policy)) return
      const indexes = new Map<string, number>()
      for (const hook of functionHooks(policy).filter(({ section }) => section === 'kprobes')) {
        const first = indexes.get(bareName(hook))
        if (first === undefined) indexes.set(bareName(hook), hook.path.at(-1) as number)
        else
          report(
            [...hook.path, 'call'],
            `${hook.name} is hooked twice, first in ${hook.section}[${first}]`,
            'Put the selectors under one hook (at most five), or add the option {name: disable-kprobe-multi, value: "1"}',
          )
      }
    },
  },
  {
    id: 'list',
    level: 'error',
    why: 'The agent looks up the name after list: in spec.lists. A list of system calls contains names such as sys_openat, optionally with an ABI (x64/sys_openat). A generated list has no values of its own. Only tracepoints can compare a value with a list, and only one of type syscall64.',
    check(policy, report) {
      const lists = itemsOf(policy.spec.lists, ['spec', 'lists'])
      const names = new Set(lists.map(({ spec }) => spec.name))
      for (const hook of functionHooks(policy).filter(isList))
        if (!names.has(hook.name.slice('list:'.length)))
          report([...hook.path, 'call'], `spec.lists has no list for ${hook.name}`, 'Add it to spec.lists')
      for (const { hook, filter } of argumentFiltersOf(policy))
        for (const [index, value] of filter.values.entries()) {
          const problem = listValueProblem(hook, filter, value, lists)
          if (problem) report([...filter.path, 'values', index], problem.message, problem.fix)
        }
      for (const { path, spec } of lists) {
        const values = valuesOf(spec)
        if (spec.type === 'syscalls')
          for (const [index, value] of values.entries())
            if (!/^([a-z0-9]+\/)?(__(x64|arm64|ia32)_)?sys_[a-z0-9_]+$/.test(value))
              report(
                [...path, 'values', index],
                `${value} is not the name of a system call`,
                `Write sys_${value.replace(/^sys_?/, '')}`,
              )
        if (String(spec.type).startsWith('generated_') && values.length > 0)
          report([...path, 'values'], `A list of type ${spec.type} has values`, 'Remove them, or write type: syscalls')
        if (spec.type === 'generated_ftrace' && !spec.pattern)
          report(path, 'A list of type generated_ftrace has no pattern', 'Add one, as in pattern: "^ksys_*"')
      }
    },
  },
  {
    id: 'hot-hook',
    level: 'warn',
    why: 'Every program calls this function all the time. Without a filter, and in every pod, the hook produces thousands of events a second and slows down what it watches.',
    check(policy, report) {
      const { podSelector, containerSelector } = policy.spec as Record<string, Record<string, unknown> | undefined>
      const isScoped = [podSelector, containerSelector].some(selector => selector && Object.keys(selector).length > 0)
      if (isScoped) return
      for (const hook of policy.hooks) {
        if (isHot(hook) && !hook.selectors.some(isFiltered))
          report(
            [...hook.path, hook.section === 'tracepoints' ? 'event' : 'call'],
            `Every ${hook.section === 'tracepoints' ? 'hit' : 'call'} of ${hook.name} produces an event`,
            'Add matchArgs or matchBinaries, or a podSelector with labels',
          )
      }
    },
  },
]

const valuesOf = (spec: Record<string, unknown>): string[] =>
  Array.isArray(spec.values) ? spec.values.map(String) : []

/** Returns why the agent cannot compare with `list:NAME`; undefined when it can, or for another value. */
function listValueProblem(
  { section, name }: Hook,
  { operator, argument }: ArgumentFilter,
  value: string,
  lists: Item[],
): { message: string; fix: string } | undefined {
  if (!value.startsWith('list:') || !/^(Not)?InMap$/.test(operator)) return undefined
  if (section !== 'tracepoints')
    return {
      message: `${name} compares with ${value}, which only tracepoints can`,
      fix: 'Write the numbers themselves',
    }
  const list = lists.find(({ spec }) => `list:${spec.name}` === value)
  if (!list) return { message: `spec.lists has no list for ${value}`, fix: 'Add it to spec.lists' }
  if (!/^(generated_)?syscalls$/.test(String(list.spec.type)))
    return { message: `${value} is not a list of system calls`, fix: 'Write type: syscalls in the list' }
  if (argument && argument.type !== 'syscall64')
    return {
      message: `${value} is compared with an argument of type ${argument.type ?? 'auto'}`,
      fix: 'Write type: syscall64 for that argument',
    }
  return undefined
}

/** Functions that newer kernels do not have, with the first release without them and what to hook there. */
const removedFunctions: Record<string, { release: string; instead?: string }> = {
  security_bpf_map_alloc: { release: '6.9', instead: 'security_bpf_map_create' },
  security_bpf_prog_alloc: { release: '6.9', instead: 'security_bpf_prog_load' },
  kfree_skb_reason: { release: '6.11', instead: 'sk_skb_reason_drop' },
  override_creds: { release: '6.14' },
  revert_creds: { release: '6.14' },
  __close_fd: { release: '5.11', instead: 'close_fd' },
  _do_fork: { release: '5.10', instead: 'kernel_clone' },
}

/** Reports functions that the kernel does not have: that of the symbols, or else a recent one. */
function checkFunctionNames(policy: Policy, report: Report, symbols?: ReadonlySet<string>): void {
  const functions = symbols ?? knownFunctions()
  const checkName = (path: Path, name: string, candidates: string[], prefix: string): void => {
    if (candidates.some(candidate => functions.has(candidate))) return
    if (!/^[A-Za-z_][\w.]*$/.test(name)) {
      report(path, `${JSON.stringify(name)} is not a function name`, 'Write a name from /proc/kallsyms', 'error')
      return
    }
    const removed = Object.hasOwn(removedFunctions, name) ? removedFunctions[name] : undefined
    if (removed) {
      report(
        path,
        symbols ? `This kernel has no function ${name}` : `Linux has no function ${name} since ${removed.release}`,
        removed.instead
          ? `Hook ${removed.instead}, or add ignore: {callNotFound: true} for older kernels`
          : 'Remove the hook, or add ignore: {callNotFound: true} for older kernels',
        symbols ? 'error' : 'warn',
      )
      return
    }
    const near = nearestKernelName(candidates.at(-1)!, functions)?.replace(prefix, '')
    report(
      path,
      symbols ? `This kernel has no function ${name}` : `The lab knows no kernel function ${name}`,
      near ? `Did you mean ${near}?` : `Look it up: grep -w ${name} /proc/kallsyms`,
      symbols ? 'error' : 'warn',
    )
  }
  for (const hook of functionHooks(policy)) {
    if (isList(hook) || ignoresMissing(hook)) continue
    // The rule syscall-flag reports a wrong flag.
    if (hook.syscall !== false && !isSyscallName(hook.name)) continue
    checkName([...hook.path, 'call'], hook.name, namesInKernel(hook.name), '')
  }
  const lists = functionHooks(policy).filter(hook => isList(hook) && !ignoresMissing(hook))
  const hooked = new Set(lists.map(({ name }) => name.slice('list:'.length)))
  for (const { path, spec } of itemsOf(policy.spec.lists, ['spec', 'lists']))
    for (const [index, value] of valuesOf(spec).entries()) {
      const [, abi, name = ''] = /^(?:([a-z0-9]+)\/)?(.*)$/.exec(value) ?? []
      // The rule list reports what is not the name of a system call. Those of 32-bit programs have names of their own.
      const isChecked =
        spec.type === 'syscalls' ? isSyscallName(name) && !/32|386/.test(abi ?? '') : hooked.has(String(spec.name))
      if (isChecked) checkName([...path, 'values', index], name, namesInKernel(name), '')
    }
  for (const { section, name, path } of policy.hooks)
    if (section === 'lsmhooks' && name !== '' && !name.startsWith('security_'))
      checkName([...path, 'hook'], name, [`bpf_lsm_${name}`], 'bpf_lsm_')
}

const ignoresMissing = ({ spec }: Hook): boolean =>
  (spec.ignore as { callNotFound?: boolean } | undefined)?.callNotFound === true

/** Returns the names under which a kernel may have a function. */
function namesInKernel(name: string): string[] {
  const bare = withoutArchPrefix(name)
  return isSyscallName(name) ? [`__x64_${bare}`, `__arm64_${bare}`, bare] : [name]
}

/**
 * Reports tracepoints that the kernel does not have. Without its names they are warnings, because drivers and file
 * systems add some that the lab does not know.
 */
function checkTracepointNames(policy: Policy, report: Report, tracepoints?: ReadonlySet<string>): void {
  const known = tracepoints ?? knownTracepoints()
  for (const { section, name, path, spec } of policy.hooks) {
    // The rule hook-name reports an empty name.
    if (section !== 'tracepoints' || spec.raw === true || known.has(name) || /^\/|\/$/.test(name)) continue
    const near = nearestKernelName(name, known)
    const isEventKnown = near?.endsWith(`/${name.split('/')[1]}`)
    report(
      [...path, isEventKnown ? 'subsystem' : 'event'],
      tracepoints ? `This kernel has no tracepoint ${name}` : `The lab knows no tracepoint ${name}`,
      near
        ? `Did you mean ${near}?`
        : `Look it up: sudo grep ${name.replace('/', ':')} /sys/kernel/tracing/available_events`,
      tracepoints ? 'error' : 'warn',
    )
  }
}
