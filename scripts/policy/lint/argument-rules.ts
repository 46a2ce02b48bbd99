import { argumentFiltersOf } from '../model/policy-model.ts'
import type { Rule } from './rule.ts'

// The arguments and return values that a hook reads.

export const argumentRules: Rule[] = [
  {
    id: 'argument-type',
    level: 'error',
    why: 'A missing type defaults to auto, which the agent refuses for kprobes: it cannot know what a register contains.',
    check(policy, report) {
      for (const hook of policy.hooks)
        if (hook.section === 'kprobes' || hook.section === 'fentries')
          for (const { path, type = 'auto' } of hook.args)
            if (type === 'auto' || type === 'syscall64')
              report(
                type === 'auto' ? path : [...path, 'type'],
                type === 'auto'
                  ? `An argument of ${hook.name} has no type`
                  : `An argument of ${hook.name} has type ${type}, which only tracepoints have`,
                'Write its type, as in {index: 0, type: file}',
              )
    },
  },
  {
    id: 'argument-count',
    level: 'error',
    why: 'The agent reads at most 5 values of a call, arguments and data together, and only from its first 5 parameters.',
    check(policy, report) {
      for (const hook of policy.hooks.filter(({ section }) => section !== 'tracepoints')) {
        for (const { path, index } of hook.args)
          if (index > 4)
            report([...path, 'index'], `Parameter ${index} of ${hook.name} cannot be read`, 'Use an index from 0 to 4')
        const count = hook.args.length + (Array.isArray(hook.spec.data) ? hook.spec.data.length : 0)
        if (count > 5) report([...hook.path, 'args'], `${hook.name} has ${count} arguments and data`, 'Keep 5 of them')
      }
    },
  },
  {
    id: 'argument-unknown',
    level: 'error',
    why: 'A filter can only compare an argument that is listed in args. The agent refuses any other.',
    check(policy, report) {
      for (const { hook, filter } of argumentFiltersOf(policy)) {
        if (filter.list !== 'matchArgs' || filter.operator === 'CelExpr' || filter.argument) continue
        const { args, index = 0 } = filter.spec
        const compared = Array.isArray(args) ? `position ${args[0]}` : `index ${index}`
        report(
          filter.path,
          `${hook.name} has no argument at ${compared}`,
          `Add it to args, as in {index: ${index}, type: string}`,
        )
      }
    },
  },
  {
    id: 'return-argument',
    level: 'error',
    why: '`return: true` needs returnArg with a type. Without `return: true`, the agent ignores returnArg and matchReturnArgs.',
    check(policy, report) {
      for (const { path, name, section, spec, selectors } of policy.hooks) {
        if (section !== 'kprobes' && section !== 'fentries' && section !== 'uprobes') continue
        const type = (spec.returnArg as { type?: string } | undefined)?.type
        if (spec.return === true) {
          if (!spec.returnArg)
            report(
              [...path, 'return'],
              `${name} has return: true but no returnArg`,
              'Add returnArg: {index: 0, type: int}',
            )
          else if (type === undefined || type === 'auto')
            report(
              [...path, 'returnArg'],
              `The returnArg of ${name} has no type`,
              'Write its type, as in {index: 0, type: int}',
            )
          continue
        }
        const fix = 'Add return: true'
        // Everything else in the hook works, so this is only a value that is missing from the events.
        if (spec.returnArg) report([...path, 'returnArg'], `${name} has returnArg but not return: true`, fix, 'warn')
        for (const { path: selectorPath, spec: selector } of selectors)
          for (const key of ['matchReturnArgs', 'matchReturnActions'])
            if (Array.isArray(selector[key]) && selector[key].length > 0)
              report([...selectorPath, key], `${name} has ${key} but not return: true`, fix)
      }
    },
  },
  {
    id: 'return-action',
    level: 'error',
    why: 'returnArgAction can be TrackSock or UntrackSock. The schema allows other values, but the agent refuses them.',
    check(policy, report) {
      for (const { path, name, spec } of policy.hooks)
        if (spec.returnArgAction && !['TrackSock', 'UntrackSock'].includes(String(spec.returnArgAction)))
          report(
            [...path, 'returnArgAction'],
            `${name} has returnArgAction ${spec.returnArgAction}`,
            'Remove it: the event contains the return value anyway',
          )
    },
  },
]
