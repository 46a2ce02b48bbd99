import { functionOf, parameterTypes, readingType, tracepointFields } from '../../model/kernel-types.ts'
import { type ArgumentFilter, argumentFiltersOf, type Hook } from '../../model/policy-model.ts'
import type { Rule } from '../rule.ts'

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
    why: 'The agent reads at most 5 values of a call, arguments and data together, and only from its first 5 parameters. In a program, one of them can be text.',
    check(policy, report) {
      for (const hook of policy.hooks) {
        // The index of a tracepoint counts its fields, and that of a usdt the arguments that the program declares.
        if (hook.section !== 'tracepoints' && hook.section !== 'usdts')
          for (const { path, index } of hook.args)
            if (index > 4)
              report(
                [...path, 'index'],
                `Parameter ${index} of ${hook.name} cannot be read`,
                'Use an index from 0 to 4',
              )
        const count = hook.args.length + hook.data.length + hiddenArguments(hook)
        const what = hook.section === 'tracepoints' ? 'fields' : 'arguments and data'
        const texts = [...hook.args, ...hook.data].filter(({ type }) => type === 'string')
        if ((hook.section === 'uprobes' || hook.section === 'usdts') && texts.length > 1)
          report(
            [...texts[1]!.path, 'type'],
            `${hook.name} reads ${texts.length} arguments of type string, but a program's memory is read once`,
            'Keep one of type string, and read the others as uint64',
          )
        if (count > 5) report([...hook.path, 'args'], `${hook.name} has ${count} ${what}`, 'Keep 5 of them')
      }
    },
  },
  {
    id: 'argument-unknown',
    level: 'error',
    why: 'A filter can only compare an argument that is listed in args. matchData compares the entries of data, by their position, and matchReturnArgs the returnArg. The agent refuses any other.',
    check(policy, report) {
      for (const { hook, filter } of argumentFiltersOf(policy)) {
        if (filter.operator === 'CelExpr' || filter.argument) continue
        const { args, index = 0 } = filter.spec
        const compared = Array.isArray(args) && args.length > 0 ? `position ${args[0]}` : `index ${index}`
        if (filter.list === 'matchData') {
          const { message, fix } = dataProblem(hook, compared)
          report(filter.path, message, fix)
          continue
        }
        if (filter.list === 'matchReturnArgs') {
          // The rules return-argument and lsm-action report a hook without a returnArg.
          const returned = (hook.spec.returnArg as { index?: number } | undefined)?.index
          if (hook.spec.return === true && hook.spec.returnArg && hook.section !== 'lsmhooks')
            report(
              filter.path,
              `The returnArg of ${hook.name} does not have ${compared}`,
              `Write index: ${returned ?? 0}, as in returnArg`,
            )
          continue
        }
        report(
          filter.path,
          `${hook.name} has no argument at ${compared}`,
          `Add it to args, as in {index: ${index}, type: ${probableType(hook, filter)}}`,
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

/** Returns how many fields of a tracepoint the agent reads only to know the size of another. */
function hiddenArguments({ section, args, spec }: Hook): number {
  if (section !== 'tracepoints' || spec.raw === true) return 0
  const sizes = new Set(args.map(argument => Number(argument.spec.sizeArgIndex ?? 0)).filter(size => size > 0))
  return [...sizes].filter(size => !args.some(({ index }) => index === size - 1)).length
}

/** Returns the type of an argument that is missing: that of the parameter in the kernel, or one that the operator compares. */
function probableType(hook: Hook, { operator, values, spec }: ArgumentFilter): string {
  const index = Number(spec.index ?? 0)
  const name = functionOf(hook)
  const kernelType =
    hook.section === 'tracepoints' ? tracepointFields(hook.name)?.[index]?.type : name && parameterTypes(name)?.[index]
  const known = kernelType && readingType(kernelType)
  if (known) return known
  if (/^(Not)?[SD](Addr|Port)/.test(operator)) return 'sock'
  if (/^(Not)?(Prefix|Postfix)$/.test(operator)) return 'string'
  return values.length > 0 && values.every(value => /^-?\d/.test(value)) ? 'int' : 'string'
}

/** Returns why matchData has nothing to compare. */
function dataProblem({ section, name, data }: Hook, compared: string): { message: string; fix: string } {
  if (section === 'kprobes' || section === 'fentries' || section === 'uprobes')
    return {
      message: `${name} has no data at ${compared}`,
      fix:
        data.length > 0
          ? `Use an index from 0 to ${data.length - 1}: it is the position in data`
          : 'Add data, as in {index: 0, type: uint32, source: current_task, resolve: cred.uid.val}',
    }
  return {
    message: `${name} has no data, so matchData has nothing to compare`,
    fix: 'Use matchArgs, or a kprobe on a security_ function with data',
  }
}
