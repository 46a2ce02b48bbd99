import type { Path } from '../../../shared/validation/yaml-source.ts'
import type { Feature } from '../../kernel/features.ts'
import { isSyscallName } from './kernel-names.ts'
import type { Action, Hook, Policy } from './policy-model.ts'

/** A kernel feature that a policy needs, and the part of the policy that needs it. */
export interface KernelNeed {
  feature: Feature
  path: Path
  /** As in "Override on security_file_open". */
  what: string
}

/** Returns the kernel features that a policy needs, whatever its mode. */
export function kernelNeeds(policy: Policy): KernelNeed[] {
  return policy.hooks.flatMap(hook => [
    ...hookNeeds(hook),
    ...hook.selectors.flatMap(selector => selector.actions.flatMap(action => actionNeeds(hook, action))),
  ])
}

function hookNeeds({ section, name, path }: Hook): KernelNeed[] {
  switch (section) {
    case 'kprobes':
      return [{ feature: 'kprobes', path, what: `a kprobe on ${name}` }]
    case 'uprobes':
    case 'usdts':
      return [{ feature: 'uprobes', path, what: `a probe in ${name}` }]
    case 'lsmhooks':
      return [{ feature: 'lsm', path: [...path, 'hook'], what: `the LSM hook ${name}` }]
    default:
      return []
  }
}

function actionNeeds({ section, name }: Hook, { action, path }: Action): KernelNeed[] {
  const need = (feature: Feature): KernelNeed[] => [
    { feature, path: [...path, 'action'], what: `${action} on ${name}` },
  ]
  if (action === 'Sigkill' || action === 'Signal') return need('sigkill')
  if (action !== 'Override' || section !== 'kprobes') return []
  if (name.startsWith('security_')) return need('overrideSecurity')
  return isSyscallName(name) ? need('override') : []
}
