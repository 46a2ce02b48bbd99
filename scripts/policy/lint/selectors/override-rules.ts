import { isSyscallName } from '../../model/kernel-names.ts'
import {
  type Action,
  actionsOf,
  type Hook,
  isKprobeMultiDisabled,
  type Policy,
  selectorsOf,
} from '../../model/policy-model.ts'
import { securityFunctionsOf } from '../../model/security-hooks.ts'
import type { Rule } from '../rule.ts'
import { matchesWrites } from './action-rules.ts'

// The action Override: where it works, what it answers, and what it can be combined with.

const overridesOf = (policy: Policy): { hook: Hook; action: Action }[] =>
  actionsOf(policy).filter(({ action }) => action.action === 'Override')

const isSecurityFunction = (hook: Hook): boolean => hook.name.startsWith('security_')
const isSyscall = (hook: Hook): boolean => isSyscallName(hook.name) || hook.name.startsWith('list:')

/** Returns what to do instead of an Override on a system call. */
function alternative({ name }: Hook): string {
  if (name.startsWith('list:')) return 'Hook the security_ functions that these calls pass instead'
  const functions = securityFunctionsOf(name)
  if (functions.length === 0) return 'Use Sigkill, or only observe: the call passes no security_ function'
  return `Hook ${functions.join(' or ')} instead`
}

export const overrideRules: Rule[] = [
  {
    id: 'override-place',
    level: 'error',
    why: 'Override works on system calls and security_ functions. The callers of other kernel functions do not expect an error, so the agent refuses it there.',
    check(policy, report) {
      for (const { hook, action } of overridesOf(policy))
        if (hook.section === 'kprobes' && hook.name !== '' && !isSecurityFunction(hook) && !isSyscall(hook))
          report(
            [...action.path, 'action'],
            `Override does not work on ${hook.name}`,
            'Hook the system call, or a security_ function that it calls (security_file_open, security_socket_connect, security_bprm_check)',
          )
    },
  },
  {
    id: 'override-multi',
    level: 'error',
    why: 'On amd64 from kernel 5.18 the agent attaches with kprobe_multi, which does not allow Override on a security_ function. On arm64 it does not use kprobe_multi, so the same policy works on a Mac and fails on a PC.',
    check(policy, report) {
      if (isKprobeMultiDisabled(policy)) return
      for (const { hook, action } of overridesOf(policy))
        if (hook.section === 'kprobes' && isSecurityFunction(hook))
          report(
            [...action.path, 'action'],
            `Override on ${hook.name} needs the option disable-kprobe-multi`,
            'Add under spec: options: [{name: disable-kprobe-multi, value: "1"}]',
          )
    },
  },
  {
    id: 'override-error',
    level: 'error',
    why: 'Override returns argError. The default, 0, means "allowed" for a security_ function and "done" for a system call. Errors are negative, as in the kernel.',
    check(policy, report) {
      for (const { hook, action } of overridesOf(policy)) {
        if (hook.section === 'uprobes') continue
        const error = Number(action.spec.argError ?? 0)
        const path = 'argError' in action.spec ? [...action.path, 'argError'] : action.path
        const fix = 'Write argError: -13 (permission denied) or -1 (not permitted)'
        if (error === 0) report(path, 'Override returns 0, which is not an error', fix)
        // A few hooks really return positive numbers.
        else if (error > 0 || error < -4095)
          report(path, `Override returns ${error}, which is not an error`, fix, 'warn')
      }
    },
  },
  {
    id: 'override-and-kill',
    level: 'warn',
    why: 'A killed process never sees the error, and its parent sees only exit code 137. Both together make sense only where the kill alone would come too late, as with a write.',
    check(policy, report) {
      for (const { hook, selector } of selectorsOf(policy)) {
        const override = selector.actions.find(({ action }) => action === 'Override')
        const kill = selector.actions.find(({ action }) => action === 'Sigkill')
        if (override && kill && !matchesWrites(hook, selector))
          report(
            kill.path,
            'A selector has both Override and Sigkill',
            'Keep Override to refuse the call, or Sigkill to end the program',
          )
      }
    },
  },
  {
    id: 'override-syscall',
    level: 'warn',
    why: 'Override on a system call needs CONFIG_BPF_KPROBE_OVERRIDE. WSL2, Debian cloud kernels and others are built without it. A security_ function needs only BPF trampolines.',
    check(policy, report, { kernel }) {
      if (kernel?.override !== undefined) return
      for (const { hook, action } of overridesOf(policy))
        if (hook.section === 'kprobes' && isSyscall(hook))
          report(
            [...action.path, 'action'],
            `Override on the system call ${hook.name} does not work on every kernel`,
            alternative(hook),
          )
    },
  },
]
