import type { Feature } from '../../kernel/features.ts'
import {
  type Action,
  enforcingActions,
  type Hook,
  isEnforcing,
  isMonitor,
  isSyscallName,
  monitorSuffix,
  needsOf,
  type Policy,
  type Selector,
} from '../model/policy-model.ts'
import { isTrue, nearest } from './hooks.ts'
import type { Rule } from './rule.ts'

// What is done when a call matches, and the options that change it.

const actionsOf = (policy: Policy): { hook: Hook; selector: Selector; action: Action }[] =>
  policy.hooks.flatMap(hook =>
    hook.selectors.flatMap(selector => selector.actions.map(action => ({ hook, selector, action }))),
  )

const overrides = (policy: Policy): { hook: Hook; action: Action }[] =>
  actionsOf(policy).filter(({ action }) => action.action === 'Override')

const selectorsOf = (policy: Policy): { hook: Hook; selector: Selector }[] =>
  policy.hooks.flatMap(hook => hook.selectors.map(selector => ({ hook, selector })))

/** Actions that answer a call with an error. */
const refusals = new Set(['Override', 'NotifyEnforcer'])

/** How much an action does: to report, to refuse, to end. */
const weight = (action: Action): number => (refusals.has(action.action) ? 1 : isEnforcing(action) ? 2 : 0)

const writeCall =
  /^(__x64_|__arm64_)?sys_p?write(v|v2|64)?$|^(__x64_|__arm64_)?sys_(sendfile(64)?|copy_file_range|splice)$|^vfs_write/
/** What security_file_permission is asked for: to write, or to append. */
const writeMasks = new Set(['2', '8', '10'])

/** Whether a selector is about writing to a file. */
const writes = (hook: Hook, { args }: Selector): boolean =>
  writeCall.test(hook.name) ||
  (/^(security_)?file_permission$/.test(hook.name) &&
    args.some(
      ({ spec, values, operator }) =>
        spec.index === 1 && /^(Equal|Mask)$/.test(operator) && values.some(value => writeMasks.has(value)),
    ))

const isSecurity = (hook: Hook): boolean => hook.name.startsWith('security_')
const isSyscall = (hook: Hook): boolean => isSyscallName(hook.name) || hook.name.startsWith('list:')

/** The options of a policy that the agent knows, and what each takes. */
const options: Record<string, { allowed: string; takes(value: string): boolean }> = {
  'disable-kprobe-multi': { allowed: '"1" or "0"', takes: isBool },
  'disable-uprobe-multi': { allowed: '"1" or "0"', takes: isBool },
  'override-method': {
    allowed: 'fmod-ret or override-return',
    takes: value => /^(fmod-ret|override-return)$/.test(value),
  },
  'policy-mode': { allowed: 'monitor or enforce', takes: value => /^(monitor|enforce)$/.test(value) },
}

function isBool(value: string): boolean {
  return isTrue(value) || ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)
}

/** What a kernel lacks, and what can be done without it. */
const lacks: Record<Feature, { what: string; fix: string }> = {
  btf: { what: 'type information (BTF)', fix: 'use another kernel' },
  kprobes: { what: 'kprobes', fix: 'use another kernel, or the recording' },
  kprobeMulti: { what: 'kprobe_multi', fix: 'hook fewer functions' },
  sigkill: { what: 'kernel 5.3', fix: 'observe only' },
  override: { what: 'CONFIG_BPF_KPROBE_OVERRIDE', fix: 'hook a security_ function instead' },
  overrideSecurity: { what: 'BPF trampolines (fmod_ret)', fix: 'use Sigkill, or observe only' },
  lsm: { what: 'BPF LSM', fix: 'use a kprobe on the security_ function, or start the kernel with lsm=...,bpf' },
  uprobes: { what: 'uprobes (CONFIG_UPROBE_EVENTS)', fix: 'hook what the program does in the kernel instead' },
  hostPids: { what: "the machine's own process numbers", fix: 'mount /proc of the machine into the node' },
}

export const actionRules: Rule[] = [
  {
    id: 'too-many-actions',
    level: 'error',
    why: 'A selector takes three actions, and the agent refuses a fourth.',
    check(policy, report) {
      for (const { selector } of policy.hooks.flatMap(hook => hook.selectors.map(one => ({ selector: one }))))
        for (const onReturn of [false, true]) {
          const actions = selector.actions.filter(action => action.onReturn === onReturn)
          if (actions.length > 3) report(actions[3]!.path, `${actions.length} actions in one selector`, 'keep three')
        }
    },
  },
  {
    id: 'override-place',
    level: 'error',
    why: 'Override works on system calls and security_ hooks. Elsewhere in the kernel nobody would understand a made-up answer, and the agent refuses it.',
    check(policy, report) {
      for (const { hook, action } of overrides(policy))
        if (hook.section === 'kprobes' && hook.name !== '' && !isSecurity(hook) && !isSyscall(hook))
          report(
            [...action.path, 'action'],
            `Override on ${hook.name}`,
            'hook the security_ function on the way there (security_file_open, security_socket_connect, security_bprm_check), or the system call',
          )
    },
  },
  {
    id: 'override-multi',
    level: 'error',
    why: 'On amd64 from kernel 5.18 the agent attaches by kprobe_multi, and refuses Override on a security_ hook with it. On arm64 it turns that off by itself, so a policy without the option passes on a Mac and fails on a PC.',
    check(policy, report) {
      if (policy.options.some(({ name, value }) => name === 'disable-kprobe-multi' && isTrue(value))) return
      for (const { hook, action } of overrides(policy))
        if (hook.section === 'kprobes' && isSecurity(hook))
          report(
            [...action.path, 'action'],
            `Override on ${hook.name} without disable-kprobe-multi`,
            'add under spec: options: [{name: disable-kprobe-multi, value: "1"}]',
          )
    },
  },
  {
    id: 'override-error',
    level: 'error',
    why: 'Override answers with argError, and 0, which is its default, means "allowed" to a security_ hook and "done" to the caller of a system call. Errors are negative, as in the kernel.',
    check(policy, report) {
      for (const { hook, action } of overrides(policy)) {
        if (hook.section === 'uprobes') continue
        const error = Number(action.spec.argError ?? 0)
        const path = 'argError' in action.spec ? [...action.path, 'argError'] : action.path
        const fix = 'write argError: -13 (permission denied) or -1 (not permitted)'
        if (error === 0) report(path, 'Override with argError 0', fix)
        // A few hooks do answer with positive numbers.
        else if (error > 0 || error < -4095) report(path, `Override with argError ${error}`, fix, 'warn')
      }
    },
  },
  {
    id: 'override-and-kill',
    level: 'warn',
    why: 'A process that is killed never sees the error it was answered with, and what reads its end sees exit code 137 only. Together they make sense where the kill alone would come too late to stop the call, as with a write.',
    check(policy, report) {
      for (const { hook, selector } of selectorsOf(policy)) {
        const { actions } = selector
        const override = actions.find(({ action }) => action === 'Override')
        const kill = actions.find(({ action }) => action === 'Sigkill')
        if (override && kill && !writes(hook, selector))
          report(
            kill.path,
            'Override and Sigkill in one selector',
            'keep Override to refuse the call, or Sigkill to end the program',
          )
      }
    },
  },
  {
    id: 'late-kill',
    level: 'warn',
    why: 'A kill takes back nothing. Where a file is opened it comes before a byte is read; where one is written, what was handed over may well be on disk when the process dies.',
    check(policy, report) {
      for (const { hook, selector } of selectorsOf(policy)) {
        const kill = selector.actions.find(({ action }) => action === 'Sigkill')
        if (kill && writes(hook, selector) && !selector.actions.some(({ action }) => action === 'Override'))
          report(
            kill.path,
            `Sigkill at a write, by ${hook.name}`,
            'kill where the file is opened (security_file_open), or put an Override on security_file_permission before it',
          )
      }
    },
  },
  {
    id: 'action-order',
    level: 'warn',
    why: 'An event names the last action of its selector, and by that it is counted. With Post after a refusal it is not counted as blocked; with a refusal after a kill it is, and the end of the process once more.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const onReturn of [false, true]) {
          const actions = selector.actions.filter(action => action.onReturn === onReturn)
          const late = actions.find((action, index) => index > 0 && weight(action) < weight(actions[index - 1]!))
          if (late) {
            const gravest = actions.toSorted((a, b) => weight(b) - weight(a))[0]!
            report([...late.path, 'action'], `${late.action} after ${gravest.action}`, `put ${gravest.action} last`)
          }
        }
    },
  },
  {
    id: 'override-syscall',
    level: 'warn',
    why: 'Override on a system call needs CONFIG_BPF_KPROBE_OVERRIDE, which WSL2, Debian cloud kernels and others are built without. A security_ hook needs only BPF trampolines.',
    check(policy, report, { kernel }) {
      if (kernel?.override !== undefined) return
      for (const { hook, action } of overrides(policy))
        if (hook.section === 'kprobes' && isSyscall(hook))
          report(
            [...action.path, 'action'],
            `Override on ${hook.name}`,
            'hook security_file_open, security_socket_connect or security_bprm_check instead',
          )
    },
  },
  {
    id: 'kernel-feature',
    level: 'error',
    why: 'The agent asks the kernel what it can do, and refuses a policy that needs more.',
    check(policy, report, { kernel }) {
      for (const { feature, path, what } of needsOf(policy))
        if (kernel?.[feature] === false)
          report(path, `${what} needs ${lacks[feature].what}, which this kernel lacks`, lacks[feature].fix)
    },
  },
  {
    id: 'signal-number',
    level: 'error',
    why: 'Signal sends argSig, and 0, which is its default, is no signal at all.',
    check(policy, report) {
      for (const { action } of actionsOf(policy)) {
        const signal = Number(action.spec.argSig ?? 0)
        if (action.action === 'Signal' && (signal < 1 || signal > 64))
          report(action.path, `Signal with argSig ${signal}`, 'write argSig: 9 (kill), 15 (end) or 19 (stop)')
      }
    },
  },
  {
    id: 'post-only',
    level: 'error',
    why: 'Rate limits and stack traces belong to the action Post; the agent refuses them on others.',
    check(policy, report) {
      for (const { action } of actionsOf(policy)) {
        if (action.action === 'Post' || action.action === '') continue
        for (const key of ['rateLimit', 'kernelStackTrace', 'userStackTrace'])
          if (action.spec[key])
            report([...action.path, key], `${key} on ${action.action}`, `move ${key} to an action Post of its own`)
      }
    },
  },
  {
    id: 'rate-limit',
    level: 'error',
    why: 'A rate limit is a whole number of seconds, or of minutes or hours with m or h, and its scope is thread, process or global; the agent refuses anything else.',
    check(policy, report) {
      for (const { action } of actionsOf(policy)) {
        const { rateLimit, rateLimitScope } = action.spec
        if (rateLimit && !/^\d+[smh]?$/i.test(String(rateLimit)))
          report(
            [...action.path, 'rateLimit'],
            `rateLimit ${JSON.stringify(rateLimit)}`,
            'write it as in "30s" or "5m"',
          )
        if (rateLimitScope && rateLimit && !/^(thread|process|global)$/.test(String(rateLimitScope)))
          report(
            [...action.path, 'rateLimitScope'],
            `rateLimitScope ${rateLimitScope}`,
            'write thread, process or global',
          )
        if (rateLimitScope && !rateLimit)
          report(
            [...action.path, 'rateLimitScope'],
            'rateLimitScope without rateLimit, which does nothing',
            'add rateLimit',
          )
      }
    },
  },
  {
    id: 'lsm-action',
    level: 'error',
    why: 'At an LSM hook the agent takes Post (without stack traces), NoPost, Sigkill, Signal and Override, and no matchReturnArgs.',
    check(policy, report) {
      for (const { section, selectors } of policy.hooks) {
        if (section !== 'lsmhooks') continue
        for (const selector of selectors) {
          for (const { path, action, spec } of selector.actions) {
            if (action !== '' && !/^(Post|NoPost|Sigkill|Signal|Override)$/.test(action))
              report([...path, 'action'], `${action} at an LSM hook`, 'use a kprobe on the security_ function')
            if (action === 'Post' && (spec.kernelStackTrace || spec.userStackTrace))
              report(path, 'a stack trace at an LSM hook', 'use a kprobe on the security_ function')
          }
          if (Array.isArray(selector.spec.matchReturnArgs) && selector.spec.matchReturnArgs.length > 0)
            report(
              [...selector.path, 'matchReturnArgs'],
              'matchReturnArgs at an LSM hook',
              'use a kprobe on the security_ function',
            )
        }
      }
    },
  },
  {
    id: 'enforcer',
    level: 'error',
    why: 'NotifyEnforcer hands over to the one entry of spec.enforcers; the agent refuses it without one, and refuses a second.',
    check(policy, report) {
      const enforcers = Array.isArray(policy.spec.enforcers) ? policy.spec.enforcers.length : 0
      if (enforcers > 1) report(['spec', 'enforcers', 1], `${enforcers} enforcers`, 'put the calls into one')
      if (enforcers === 0)
        for (const { action } of actionsOf(policy))
          if (action.action === 'NotifyEnforcer')
            report(action.path, 'NotifyEnforcer without an enforcer', 'add spec.enforcers with the calls it is for')
    },
  },
  {
    id: 'deprecated-action',
    level: 'warn',
    why: 'FollowFD, UnfollowFD and CopyFD are deprecated since Tetragon 1.4 and gone from the version after 1.7; the argument type fd gives the path without them.',
    check(policy, report) {
      for (const { action } of actionsOf(policy))
        if (/^(Unf|F)ollowFD$|^CopyFD$/.test(action.action))
          report(
            [...action.path, 'action'],
            action.action,
            'drop the action, and read the file by an argument of type fd or file',
          )
    },
  },
  {
    id: 'unknown-option',
    level: 'error',
    why: 'The agent passes over an option whose name it does not know: a misspelt policy-mode enforces. A value that it cannot read it refuses.',
    check(policy, report) {
      for (const { path, name, value } of policy.options) {
        const option = Object.hasOwn(options, name) ? options[name] : undefined
        if (!option) {
          const near = nearest(name, Object.keys(options))
          report(
            [...path, 'name'],
            `no option is called ${name || '""'}`,
            near ? `did you mean ${near}?` : `take one of ${Object.keys(options).join(', ')}`,
          )
        } else if (!option.takes(value))
          report([...path, 'value'], `${name} is ${JSON.stringify(value)}`, `write ${option.allowed}`)
      }
    },
  },
  {
    id: 'option-twice',
    level: 'error',
    why: 'Of an option that is given twice the agent takes the last, without a word.',
    check(policy, report) {
      const seen = new Set<string>()
      for (const { path, name } of policy.options) {
        if (seen.has(name)) report([...path, 'name'], `${name} is given twice`, 'keep one of them')
        seen.add(name)
      }
    },
  },
  {
    id: 'monitor-name',
    level: 'warn',
    why: `Events do not carry the mode: one of a refusal says the same whether it was done or only reported. The pipeline tells by the policy's name, and counts as blocked what does not end in ${monitorSuffix}.`,
    check(policy, report) {
      if (!policy.name || !enforcingActions(policy).some(({ action }) => refusals.has(action))) return
      const named = policy.name.endsWith(monitorSuffix)
      const path = ['metadata', 'name']
      if (isMonitor(policy) && !named)
        report(path, `${policy.name} is in monitor mode`, `call it ${policy.name}${monitorSuffix}`)
      if (!isMonitor(policy) && named)
        report(path, `${policy.name} enforces`, `call it ${policy.name.slice(0, -monitorSuffix.length)}`)
    },
  },
  {
    id: 'monitor-nothing',
    level: 'warn',
    why: 'policy-mode is about Sigkill, Signal and Override. A policy without them is always loaded as monitor_only.',
    check(policy, report) {
      const mode = policy.options.find(({ name }) => name === 'policy-mode')
      if (
        mode &&
        isMonitor(policy) &&
        !actionsOf(policy).some(({ action }) => /^(Sigkill|Signal|Override|NotifyEnforcer)$/.test(action.action))
      )
        report(mode.path, 'monitor mode of a policy that does nothing but watch', 'drop the option')
    },
  },
]
