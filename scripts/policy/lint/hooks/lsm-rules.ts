import { knownFunctions, nearestKernelName } from '../../model/kernel-names.ts'
import { actionsOf, selectorsOf } from '../../model/policy-model.ts'
import type { Rule } from '../rule.ts'
import { workloadLimit } from '../scope-rules.ts'

// LSM hooks: their names, their actions, and what Tetragon 1.7 does wrong there.

const useKprobe = 'Use a kprobe on the security_ function'

export const lsmRules: Rule[] = [
  {
    id: 'lsm-prefix',
    level: 'error',
    why: 'The name of an LSM hook has no prefix. The agent adds bpf_lsm_ to it, and refuses the policy if that function does not exist.',
    check(policy, report) {
      for (const hook of policy.hooks)
        if (hook.section === 'lsmhooks' && /^(security|bpf_lsm)_/.test(hook.name)) {
          const bare = hook.name.replace(/^(security|bpf_lsm)_/, '')
          const known = knownFunctions().has(`bpf_lsm_${bare}`)
            ? bare
            : (nearestKernelName(`bpf_lsm_${bare}`, knownFunctions())?.replace('bpf_lsm_', '') ?? bare)
          report([...hook.path, 'hook'], `The LSM hook ${hook.name} has a prefix`, `Write hook: ${known}`)
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
        const [returned] = selector.entries('matchReturnArgs')
        if (returned) report(returned.path, 'LSM hooks do not support matchReturnArgs', useKprobe)
      }
    },
  },
  {
    id: 'lsm-repeat',
    level: 'warn',
    why: 'In Tetragon 1.7, an LSM hook of a policy for some pods repeats its last event: at every call of another process on the same processor, until one of these pods makes such a call there. One open of a file became more than 2,000 events (cilium/tetragon#5237, cilium/tetragon#5528).',
    check(policy, report) {
      if (!workloadLimit(policy)) return
      for (const { hook, selector } of selectorsOf(policy)) {
        if (hook.section !== 'lsmhooks' || selector.actions.some(({ action }) => action === 'NoPost')) continue
        report(
          selector.path,
          `Events of the LSM hook ${hook.name} are repeated`,
          'Add the action NoPost, and observe with a kprobe on the security_ function in another policy',
        )
      }
    },
  },
  {
    id: 'lsm-error',
    level: 'warn',
    why: 'In Tetragon 1.7, an Override at an LSM hook always returns -1 (EPERM, "Operation not permitted"), because the BPF program reads the 32 bits of argError as a positive 64-bit number.',
    check(policy, report) {
      for (const { hook, action } of actionsOf(policy)) {
        if (hook.section !== 'lsmhooks' || action.action !== 'Override') continue
        const error = Number(action.spec.argError ?? 0)
        // The rule override-error reports 0.
        if (error !== 0 && error !== -1)
          report(
            [...action.path, 'argError'],
            `Override at an LSM hook returns -1, not ${error}`,
            'Write argError: -1, or use a kprobe on the security_ function',
          )
      }
    },
  },
]
