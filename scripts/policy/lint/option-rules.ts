import { nearest } from '../../../shared/validation/schema-errors.ts'
import {
  actionsOf,
  enforcingActions,
  isEnforcing,
  isMonitor,
  isTrueValue,
  monitorSuffix,
} from '../model/policy-model.ts'
import type { Rule } from './rule.ts'
import { isRefusing } from './selectors/action-rules.ts'

// spec.options, monitor mode among them.

const isBoolean = (value: string): boolean =>
  isTrueValue(value) || ['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(value)

/** The options that the agent knows, with their values. */
const knownOptions: Record<string, { values: string; accepts(value: string): boolean }> = {
  'disable-kprobe-multi': { values: '"1" or "0"', accepts: isBoolean },
  'disable-uprobe-multi': { values: '"1" or "0"', accepts: isBoolean },
  'override-method': {
    values: 'fmod-ret or override-return',
    accepts: value => ['fmod-ret', 'override-return'].includes(value),
  },
  'policy-mode': { values: 'monitor or enforce', accepts: value => ['monitor', 'enforce'].includes(value) },
}

export const optionRules: Rule[] = [
  {
    id: 'unknown-option',
    level: 'error',
    why: 'The agent ignores options that it does not know, so a misspelt policy-mode enforces. It refuses values that it cannot parse.',
    check(policy, report) {
      for (const { path, name, value } of policy.options) {
        const option = Object.hasOwn(knownOptions, name) ? knownOptions[name] : undefined
        if (!option) {
          const names = Object.keys(knownOptions)
          const near = nearest(name, names)
          report(
            [...path, 'name'],
            `There is no option ${name || '""'}`,
            near ? `Did you mean ${near}?` : `Use one of ${names.join(', ')}`,
          )
        } else if (!option.accepts(value))
          report([...path, 'value'], `${name} cannot be ${JSON.stringify(value)}`, `Write ${option.values}`)
      }
    },
  },
  {
    id: 'option-twice',
    level: 'error',
    why: 'The agent uses the last of duplicate options, without a warning.',
    check(policy, report) {
      const seen = new Set<string>()
      for (const { path, name } of policy.options) {
        if (seen.has(name)) report([...path, 'name'], `The option ${name} is set twice`, 'Keep one of them')
        seen.add(name)
      }
    },
  },
  {
    id: 'monitor-name',
    level: 'warn',
    why: `Events do not contain the mode: a reported refusal looks like a real one. The pipeline goes by the policy's name, and counts refusals as blocked unless the name ends in ${monitorSuffix}.`,
    check(policy, report) {
      if (!policy.name || !enforcingActions(policy).some(isRefusing)) return
      const hasSuffix = policy.name.endsWith(monitorSuffix)
      const path = ['metadata', 'name']
      if (isMonitor(policy) && !hasSuffix)
        report(
          path,
          `${policy.name} is in monitor mode, but its name does not end in ${monitorSuffix}`,
          `Rename it to ${policy.name}${monitorSuffix}`,
        )
      if (!isMonitor(policy) && hasSuffix)
        report(
          path,
          `${policy.name} enforces, but its name ends in ${monitorSuffix}`,
          `Rename it to ${policy.name.slice(0, -monitorSuffix.length)}`,
        )
    },
  },
  {
    id: 'monitor-return',
    level: 'warn',
    why: 'The agent gives the mode of the policy only to the program at the start of a function. The one at its end, which runs matchReturnActions, always enforces.',
    check(policy, report) {
      if (!isMonitor(policy)) return
      for (const action of enforcingActions(policy))
        if (action.onReturn)
          report(
            [...action.path, 'action'],
            `${action.action} in matchReturnActions acts even in monitor mode`,
            'Remove the action from the policy in monitor mode',
          )
    },
  },
  {
    id: 'monitor-nothing',
    level: 'warn',
    why: 'policy-mode affects only Sigkill, Signal, Override and NotifyEnforcer. The agent always loads a policy without them as monitor_only.',
    check(policy, report) {
      const mode = policy.options.find(({ name }) => name === 'policy-mode')
      const hasEnforcing = actionsOf(policy).some(({ action }) => isEnforcing(action))
      if (mode && isMonitor(policy) && !hasEnforcing)
        report(mode.path, 'The policy is in monitor mode, but it only observes', 'Remove the option')
    },
  },
]
