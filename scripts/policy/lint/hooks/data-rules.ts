import { nearest } from '../../../../shared/validation/schema-errors.ts'
import {
  canRead,
  functionOf,
  knownRelease,
  maxResolveDepth,
  missingField,
  parameterTypes,
  readingType,
  resolveSteps,
} from '../../model/kernel-types.ts'
import type { Argument, Hook, Policy } from '../../model/policy-model.ts'
import type { Rule } from '../rule.ts'

// What the arguments and the data of a hook read: parameters of its function, registers, and fields of structs.

/** The registers of each architecture, as `uname -m` calls it, with their parts. */
const amd64Registers = new Set([
  ...'rip eip rsp esp sp spl rbp ebp bp bpl'.split(' '),
  ...['a', 'b', 'c', 'd'].flatMap(letter => [`r${letter}x`, `e${letter}x`, `${letter}x`, `${letter}l`]),
  ...['si', 'di'].flatMap(name => [`r${name}`, `e${name}`, name, `${name}l`]),
  ...[8, 9, 10, 11, 12, 13, 14, 15].flatMap(number => ['', 'd', 'w', 'b'].map(part => `r${number}${part}`)),
])
const arm64Registers = new Set([
  ...['sp', 'pc', 'x31'],
  ...Array.from({ length: 31 }, (_, number) => [`x${number}`, `w${number}`]).flat(),
])

/** Returns the registers of an architecture, or of all when it is unknown. */
function registersOf(arch?: string): Set<string> {
  if (arch === 'x86_64') return amd64Registers
  return arch === 'aarch64' ? arm64Registers : new Set([...amd64Registers, ...arm64Registers])
}

const argumentsOf = (policy: Policy): { hook: Hook; argument: Argument; isData: boolean }[] =>
  policy.hooks.flatMap(hook => [
    ...hook.args.map(argument => ({ hook, argument, isData: false })),
    ...hook.data.map(argument => ({ hook, argument, isData: true })),
  ])

const isInProgram = ({ section }: Hook): boolean => section === 'uprobes' || section === 'usdts'

/** The kinds of hook in which the agent checks where arguments and data come from. */
const readsData = ({ section }: Hook): boolean =>
  section === 'kprobes' || section === 'fentries' || section === 'uprobes'

export const dataRules: Rule[] = [
  {
    id: 'argument-mismatch',
    level: 'warn',
    why: `The agent reads a parameter as the type that the policy names, whatever it is in the kernel. With another type or a parameter that does not exist, the value is meaningless, and a filter on it never matches. The types are those of Linux ${knownRelease}.`,
    check(policy, report) {
      for (const { hook, argument, isData } of argumentsOf(policy)) {
        const { path, index, type = 'auto', resolve, source } = argument
        const name = functionOf(hook)
        const types = name === undefined ? undefined : parameterTypes(name)
        // The rule argument-count reports parameters that no hook can read.
        if (isData || source || !types || type === 'auto' || index > 4) continue
        const kernelType = types[index]
        if (kernelType === undefined)
          report(
            [...path, 'index'],
            `${hook.name} has ${count(types.length, 'parameter')} in Linux ${knownRelease}, so there is no parameter ${index}`,
            describeParameters(types),
          )
        else if (!resolve && !canRead(type, kernelType)) {
          const other = types.findIndex(candidate => canRead(type, candidate) && isSpecific(type))
          const reader = readingType(kernelType)
          const fixes = [reader && `type: ${reader}`, other >= 0 && `index: ${other} for ${types[other]}`].filter(
            Boolean,
          )
          report(
            [...path, 'type'],
            `Parameter ${index} of ${hook.name} is ${kernelType} in Linux ${knownRelease}, not ${type}`,
            fixes.length > 0
              ? `Write ${fixes.join(', or ')}`
              : 'Read another parameter, or use resolve to read a field of it',
          )
        }
      }
    },
  },
  {
    id: 'data-source',
    level: 'error',
    why: 'An entry of data needs source (current_task or pt_regs) and resolve: the field of the task, or the register. An entry of args is a parameter of the call, and cannot have a source. The agent refuses anything else.',
    check(policy, report, { kernel }) {
      for (const { hook, argument, isData } of argumentsOf(policy)) {
        if (!readsData(hook)) continue
        const { path, source, resolve } = argument
        if (!isData) {
          if (source)
            report([...path, 'source'], `An argument of ${hook.name} has a source`, 'Move the entry from args to data')
          continue
        }
        if (source !== 'current_task' && source !== 'pt_regs')
          report(
            source ? [...path, 'source'] : path,
            source ? `source cannot be ${source}` : `An entry of data in ${hook.name} has no source`,
            'Write source: current_task, or source: pt_regs for a register',
          )
        if (!resolve)
          report(
            path,
            `An entry of data in ${hook.name} has no resolve`,
            `Add resolve, as in resolve: ${source === 'pt_regs' ? 'rdi' : 'cred.uid.val'}`,
          )
        else if (source === 'pt_regs' && !registersOf(kernel?.arch).has(resolve)) {
          const near = nearest(resolve, [...registersOf(kernel?.arch)])
          report(
            [...path, 'resolve'],
            `There is no register ${resolve}`,
            near ? `Did you mean ${near}?` : 'Write the name of a register, such as rdi or x0',
          )
        }
      }
    },
  },
  {
    id: 'resolve-path',
    level: 'error',
    why: 'resolve leads through the fields of structs, as in mm.owner.comm, in at most 10 steps. The agent looks the fields up in the kernel, or for a program in its btfPath, and refuses a policy if one does not exist.',
    check(policy, report) {
      for (const { hook, argument } of argumentsOf(policy)) {
        const { path, resolve, source } = argument
        if (!resolve || source === 'pt_regs') continue
        const place = [...path, 'resolve']
        const steps = resolveSteps(resolve)
        if (!steps) {
          report(
            place,
            `${JSON.stringify(resolve)} is not a path`,
            'Write fields with dots, as in mm.owner.comm or a.b[0].c',
          )
          continue
        }
        if (isInProgram(hook) && !source && !hook.spec.btfPath)
          report(
            place,
            `${hook.name} has no btfPath, so the agent does not know the structs of the program`,
            'Add btfPath with a BTF file of the program, and btfType for the struct',
          )
        if (steps.length > maxResolveDepth)
          report(place, `${resolve} has ${steps.length} steps`, `Keep ${maxResolveDepth} of them`)
        // The agent looks the function up without the prefix that it adds to a system call.
        if (hook.section === 'kprobes' && !source && /^sys_/.test(hook.name))
          report(
            place,
            `The parameters of the system call ${hook.name} cannot be resolved`,
            'Hook the security_ function that the call passes, or read the task with source: current_task in data',
          )
        const missing = missingField(hook, argument)
        if (missing) {
          const near = nearest(missing.field, missing.known)
          report(
            place,
            `struct ${missing.struct} has no field ${missing.field} in Linux ${knownRelease}`,
            near ? `Did you mean ${near}?` : 'Look the field up in the headers of the kernel',
            'warn',
          )
        }
      }
    },
  },
  {
    id: 'size-argument',
    level: 'error',
    why: 'sizeArgIndex is the position of the argument with the size, counted from 1. The agent has 4 bits for it, and refuses a number above 15.',
    check(policy, report) {
      for (const { hook, argument } of argumentsOf(policy)) {
        const size = argument.spec.sizeArgIndex
        if (typeof size === 'number' && size > 15 && hook.section !== 'tracepoints')
          report(
            [...argument.path, 'sizeArgIndex'],
            `sizeArgIndex ${size} is above 15`,
            'Write the position from 1 to 5',
          )
      }
    },
  },
]

const count = (number: number, noun: string): string =>
  `${number === 0 ? 'no' : number} ${noun}${number === 1 ? '' : 's'}`

/** Returns whether a type fits few kernel types, so that another parameter that has it is likely meant. */
const isSpecific = (type: string): boolean => !/int|long|size_t|^fd$/.test(type)

function describeParameters(types: string[]): string {
  if (types.length === 0) return 'Remove the argument'
  return types.length === 1
    ? `Use index 0 (${types[0]})`
    : `Use an index from 0 to ${types.length - 1}: ${types.join(', ')}`
}
