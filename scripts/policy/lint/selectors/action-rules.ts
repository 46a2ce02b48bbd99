import type { Path } from '../../../../shared/validation/yaml-source.ts'
import type { Feature } from '../../../kernel/features.ts'
import { isSocket } from '../../model/argument-types.ts'
import { kernelNeeds } from '../../model/kernel-needs.ts'
import {
  type Action,
  actionsOf,
  type Hook,
  isEnforcing,
  itemsOf,
  type Section,
  type Selector,
  selectorsOf,
} from '../../model/policy-model.ts'
import { capitalize, type Rule } from '../rule.ts'

// Actions: limits, parameters, order, and what they need. Those about Override alone are in override-rules.ts.

const refusingNames = new Set(['Override', 'NotifyEnforcer'])

/** Returns whether an action answers the call with an error. */
export const isRefusing = ({ action }: Action): boolean => refusingNames.has(action)

/** How severe an action is: 0 reports, 1 refuses the call, 2 ends the process. */
const severityRank = (action: Action): number => (isRefusing(action) ? 1 : isEnforcing(action) ? 2 : 0)

const writeFunction =
  /^(__x64_|__arm64_)?sys_p?write(v|v2|64)?$|^(__x64_|__arm64_)?sys_(sendfile(64)?|copy_file_range|splice)$|^vfs_write/
/** Values of the mask argument of security_file_permission for a write or an append. */
const writeMasks = new Set(['2', '8', '10'])

/** Returns whether a selector matches writes to a file. */
export const matchesWrites = (hook: Hook, { args }: Selector): boolean =>
  writeFunction.test(hook.name) ||
  (/^(security_)?file_permission$/.test(hook.name) &&
    args.some(
      ({ spec, values, operator }) =>
        spec.index === 1 && /^(Equal|Mask)$/.test(operator) && values.some(value => writeMasks.has(value)),
    ))

const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : [])

/** Returns the actions of a selector in the two lists in which they are counted and ordered. */
const actionLists = ({ actions }: Selector): Action[][] =>
  [false, true].map(onReturn => actions.filter(action => action.onReturn === onReturn))

/** What is missing from a kernel without a feature, and the alternative. */
const missingFeatures: Record<Feature, { what: string; fix: string }> = {
  btf: { what: 'type information (BTF)', fix: 'Use another kernel' },
  kprobes: { what: 'kprobes', fix: 'Use another kernel, or the recording' },
  kprobeMulti: { what: 'kprobe_multi', fix: 'Hook fewer functions' },
  sigkill: { what: 'kernel 5.3', fix: 'Remove the action, and only observe' },
  override: { what: 'CONFIG_BPF_KPROBE_OVERRIDE', fix: 'Hook a security_ function instead' },
  overrideSecurity: { what: 'BPF trampolines (fmod_ret)', fix: 'Use Sigkill, or only observe' },
  lsm: { what: 'BPF LSM', fix: 'Use a kprobe on the security_ function, or boot the kernel with lsm=...,bpf' },
  uprobes: { what: 'uprobes (CONFIG_UPROBE_EVENTS)', fix: 'Hook what the program does in the kernel instead' },
  hostPids: { what: "the machine's process ids", fix: "Mount the machine's /proc into the node" },
}

/** Where actions that need help from elsewhere in the agent have an effect. Others have one everywhere. */
const effectivePlaces: Record<string, { sections: Section[]; fix: string }> = {
  Override: {
    sections: ['kprobes', 'lsmhooks', 'uprobes'],
    fix: 'Put the Override in matchActions of a kprobe on the system call or a security_ function, or use Sigkill',
  },
  NotifyEnforcer: {
    sections: ['kprobes', 'tracepoints'],
    fix: 'Put NotifyEnforcer in matchActions of a kprobe or a tracepoint, or use Sigkill',
  },
  Set: { sections: ['usdts'], fix: 'Remove the action: it writes an argument of a usdt' },
}

const sectionNames: Record<Section, string> = {
  kprobes: 'a kprobe',
  tracepoints: 'a tracepoint',
  lsmhooks: 'an LSM hook',
  uprobes: 'a uprobe',
  usdts: 'a usdt',
  fentries: 'a fentry',
}

/** Returns whether a call is a list, a system call or a security function, as an enforcer needs. */
const isEnforceable = (call: string): boolean =>
  /^(list:|security_|(__(x64|arm64|ia32)_)?sys_|__(x64|arm64|ia32)_)/.test(call)

export const actionRules: Rule[] = [
  {
    id: 'too-many-actions',
    level: 'error',
    why: 'A selector can have 3 actions, and the agent refuses more.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const actions of actionLists(selector))
          if (actions.length > 3)
            report(actions[3]!.path, `The selector has ${actions.length} actions`, 'Keep 3 of them')
    },
  },
  {
    id: 'late-kill',
    level: 'warn',
    why: 'A kill does not undo anything. At an open, it comes before the first byte is read. At a write, the data may already be on disk when the process dies.',
    check(policy, report) {
      for (const { hook, selector } of selectorsOf(policy)) {
        const kill = selector.actions.find(({ action }) => action === 'Sigkill')
        const hasOverride = selector.actions.some(({ action }) => action === 'Override')
        if (kill && !hasOverride && matchesWrites(hook, selector))
          report(
            kill.path,
            `Sigkill on ${hook.name} may come after the write`,
            'Kill when the file is opened (security_file_open), or put an Override on security_file_permission before it',
          )
      }
    },
  },
  {
    id: 'action-order',
    level: 'warn',
    why: 'An event names the last action of its selector, and shippers and dashboards go by that action. Post after a refusal hides the refusal. A refusal after a kill counts the kill twice.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const actions of actionLists(selector)) {
          const early = actions.find(
            (action, index) => index > 0 && severityRank(action) < severityRank(actions[index - 1]!),
          )
          if (!early) continue
          const gravest = actions.toSorted((a, b) => severityRank(b) - severityRank(a))[0]!
          report(
            [...early.path, 'action'],
            `${early.action} comes after ${gravest.action}`,
            `Move ${gravest.action} to the end`,
          )
        }
    },
  },
  {
    id: 'action-place',
    level: 'error',
    why: 'Where an action has no effect, the agent still counts it and reports it in the event, as if the call had been refused.',
    check(policy, report) {
      for (const { hook, action } of actionsOf(policy)) {
        const place = Object.hasOwn(effectivePlaces, action.action) ? effectivePlaces[action.action]! : undefined
        // The rules fentry-action and lsm-action report what the agent refuses.
        if (!place || hook.section === 'fentries') continue
        if (hook.section === 'lsmhooks' && action.action !== 'Override') continue
        if (action.onReturn)
          report([...action.path, 'action'], `${action.action} does nothing in matchReturnActions`, place.fix)
        else if (!place.sections.includes(hook.section))
          report(
            [...action.path, 'action'],
            `${action.action} does nothing at ${sectionNames[hook.section]}`,
            place.fix,
          )
      }
    },
  },
  {
    id: 'fentry-action',
    level: 'error',
    why: 'A fentry only observes. The agent refuses a policy with an enforcing action at one.',
    check(policy, report) {
      for (const { hook, action } of actionsOf(policy))
        if (hook.section === 'fentries' && !action.onReturn && (isEnforcing(action) || action.action === 'Set'))
          report(
            [...action.path, 'action'],
            `fentries do not support ${action.action}`,
            `Write kprobes instead of fentries: a kprobe on ${hook.name} supports it`,
          )
    },
  },
  {
    id: 'kernel-feature',
    level: 'error',
    why: 'The agent checks the kernel features at load time, and refuses a policy that needs a missing one.',
    check(policy, report, { kernel }) {
      for (const { feature, path, what } of kernelNeeds(policy))
        if (kernel?.[feature] === false)
          report(
            path,
            `${capitalize(what)} needs ${missingFeatures[feature].what}, which this kernel does not have`,
            missingFeatures[feature].fix,
          )
    },
  },
  {
    id: 'signal-number',
    level: 'error',
    why: 'Signal sends the signal in argSig. The default, 0, is not a signal.',
    check(policy, report) {
      for (const { action } of actionsOf(policy)) {
        const signal = Number(action.spec.argSig ?? 0)
        if (action.action === 'Signal' && (signal < 1 || signal > 64))
          report(action.path, `argSig ${signal} is not a signal`, 'Write argSig: 9 (kill), 15 (terminate) or 19 (stop)')
      }
    },
  },
  {
    id: 'post-only',
    level: 'error',
    why: 'Only Post can have a rate limit or a stack trace. The agent refuses them on other actions.',
    check(policy, report) {
      for (const { action } of actionsOf(policy)) {
        if (action.action === 'Post' || action.action === '') continue
        for (const key of ['rateLimit', 'kernelStackTrace', 'userStackTrace'])
          if (action.spec[key])
            report(
              [...action.path, key],
              `${action.action} cannot have ${key}`,
              `Move ${key} to a Post action of its own`,
            )
      }
    },
  },
  {
    id: 'rate-limit',
    level: 'error',
    why: 'A rate limit is a whole number of seconds, or of minutes (m) or hours (h). Its scope is thread (the default), process or global. The agent refuses anything else. It compares the first 40 bytes of every argument, which differ between two connections.',
    check(policy, report) {
      for (const { action } of actionsOf(policy)) {
        const { rateLimit, rateLimitScope } = action.spec
        const scopePath = [...action.path, 'rateLimitScope']
        if (rateLimit && !/^\d+[smh]?$/i.test(String(rateLimit)))
          report(
            [...action.path, 'rateLimit'],
            `rateLimit ${JSON.stringify(rateLimit)} is not valid`,
            'Write it as in "30s" or "5m"',
          )
        if (rateLimitScope && rateLimit && !/^(thread|process|global)$/.test(String(rateLimitScope)))
          report(scopePath, `rateLimitScope ${rateLimitScope} is not valid`, 'Write thread, process or global')
        if (rateLimitScope && !rateLimit)
          report(scopePath, 'rateLimitScope has no effect without rateLimit', 'Add rateLimit')
      }
      // Once for a policy, because the limits of its hooks are usually copies of each other.
      let isThreadReported = false
      for (const { hook, action } of actionsOf(policy)) {
        if (!action.spec.rateLimit || action.action !== 'Post') continue
        const place = [...action.path, 'rateLimit']
        const socket = hook.args.find(isSocket)
        if (socket)
          report(
            place,
            `rateLimit counts each connection of ${hook.name} by itself, because its ports are part of argument ${socket.index}`,
            'Remove rateLimit, and narrow the hook with matchArgs or matchBinaries',
            'warn',
          )
        else if (!action.spec.rateLimitScope && !isThreadReported) {
          isThreadReported = true
          report(
            place,
            'rateLimit counts each thread by itself, so it does not limit short-lived processes',
            'Add rateLimitScope: global or process, or rateLimitScope: thread if that is meant',
            'warn',
          )
        }
      }
    },
  },
  {
    id: 'enforcer',
    level: 'error',
    why: 'NotifyEnforcer uses the single entry of spec.enforcers. The agent refuses a policy without one, or with a second one. The calls of an enforcer are system calls, security_ functions, and lists of them.',
    check(policy, report) {
      const count = Array.isArray(policy.spec.enforcers) ? policy.spec.enforcers.length : 0
      if (count > 1) report(['spec', 'enforcers', 1], `The policy has ${count} enforcers`, 'Put all calls into one')
      if (count === 0)
        for (const { action } of actionsOf(policy))
          if (action.action === 'NotifyEnforcer')
            report(action.path, 'NotifyEnforcer has no enforcer', 'Add spec.enforcers with the calls to enforce')
      const lists = itemsOf(policy.spec.lists, ['spec', 'lists'])
      const checkCall = (call: string, path: Path): void => {
        if (!isEnforceable(call))
          report(
            path,
            `An enforcer cannot call ${call || '""'}, which is neither a system call nor a security_ function`,
            'Write a system call such as sys_openat, or a function such as security_file_open',
          )
      }
      for (const { path, spec } of itemsOf(policy.spec.enforcers, ['spec', 'enforcers']))
        for (const [index, call] of textsOf(spec.calls).entries()) {
          const place = [...path, 'calls', index]
          checkCall(call, place)
          if (!call.startsWith('list:')) continue
          const list = lists.find(item => `list:${item.spec.name}` === call)
          if (!list) report(place, `spec.lists has no list for ${call}`, 'Add it to spec.lists')
          else if (list.spec.type !== 'syscalls')
            for (const [position, value] of textsOf(list.spec.values).entries())
              checkCall(value, [...list.path, 'values', position])
        }
    },
  },
  {
    id: 'deprecated-action',
    level: 'warn',
    why: 'FollowFD, UnfollowFD and CopyFD are deprecated since Tetragon 1.4, and removed after 1.7. The argument type fd gives the path without them.',
    check(policy, report) {
      for (const { action } of actionsOf(policy))
        if (/^(Unf|F)ollowFD$|^CopyFD$/.test(action.action))
          report(
            [...action.path, 'action'],
            `${action.action} is deprecated`,
            'Remove the action, and read the file with an argument of type fd or file',
          )
    },
  },
]
