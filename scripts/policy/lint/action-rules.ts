import type { Feature } from '../../kernel/features.ts'
import { kernelNeeds } from '../model/kernel-needs.ts'
import { type Action, actionsOf, type Hook, isEnforcing, type Selector, selectorsOf } from '../model/policy-model.ts'
import { capitalize, type Rule } from './rule.ts'

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

const useKprobe = 'Use a kprobe on the security_ function'

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
    why: 'An event names the last action of its selector, and the metrics count it by that action. Post after a refusal hides the refusal. A refusal after a kill counts the kill twice.',
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
    why: 'A rate limit is a whole number of seconds, or of minutes (m) or hours (h). Its scope is thread, process or global. The agent refuses anything else.',
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
    },
  },
  {
    id: 'lsm-action',
    level: 'error',
    why: 'LSM hooks support Post (without stack traces), NoPost, Sigkill, Signal and Override. They do not support matchReturnArgs.',
    check(policy, report) {
      for (const { hook, selector } of selectorsOf(policy)) {
        if (hook.section !== 'lsmhooks') continue
        for (const { path, action, spec } of selector.actions) {
          if (action !== '' && !/^(Post|NoPost|Sigkill|Signal|Override)$/.test(action))
            report([...path, 'action'], `LSM hooks do not support ${action}`, useKprobe)
          if (action === 'Post' && (spec.kernelStackTrace || spec.userStackTrace))
            report(path, 'LSM hooks do not support stack traces', useKprobe)
        }
        if (Array.isArray(selector.spec.matchReturnArgs) && selector.spec.matchReturnArgs.length > 0)
          report([...selector.path, 'matchReturnArgs'], 'LSM hooks do not support matchReturnArgs', useKprobe)
      }
    },
  },
  {
    id: 'enforcer',
    level: 'error',
    why: 'NotifyEnforcer uses the single entry of spec.enforcers. The agent refuses a policy without one, or with a second one.',
    check(policy, report) {
      const count = Array.isArray(policy.spec.enforcers) ? policy.spec.enforcers.length : 0
      if (count > 1) report(['spec', 'enforcers', 1], `The policy has ${count} enforcers`, 'Put all calls into one')
      if (count === 0)
        for (const { action } of actionsOf(policy))
          if (action.action === 'NotifyEnforcer')
            report(action.path, 'NotifyEnforcer has no enforcer', 'Add spec.enforcers with the calls to enforce')
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
