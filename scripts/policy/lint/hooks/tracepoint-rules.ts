import { argumentTypes } from '../../model/argument-types.ts'
import { canRead, type Field, readingType, tracepointFields } from '../../model/kernel-types.ts'
import { type Argument, argumentFiltersOf, type Policy } from '../../model/policy-model.ts'
import type { Report, Rule } from '../rule.ts'

// The fields of tracepoints.

/** The fields that all tracepoints start with. The last of them, common_pid, is worth reading. */
const commonFields = ['common_type', 'common_flags', 'common_preempt_count']

export const tracepointRules: Rule[] = [
  {
    id: 'tracepoint-field',
    level: 'error',
    why: 'The index of a tracepoint argument counts the fields of its format file, not the parameters of the call. Fields 0 to 3 are the same in every tracepoint. In syscalls/sys_enter_*, field 4 is the number of the system call, and its parameters start at field 5.',
    check(policy, report, { kernel }) {
      for (const hook of policy.hooks) {
        if (hook.section !== 'tracepoints') continue
        if (hook.spec.raw === true) {
          for (const { path, index } of hook.args)
            if (index > 5)
              report(
                [...path, 'index'],
                `Argument ${index} of the raw tracepoint ${hook.name} cannot be read`,
                'Use an index from 0 to 4',
              )
          continue
        }
        const fields = tracepointFields(hook.name)
        if (!fields) continue
        // Without the kernel, only the fields of system calls are certain.
        const isCertain = hook.name.startsWith('syscalls/')
        for (const argument of hook.args) {
          const field = fields[argument.index]
          if (field) checkField(policy, report, hook.name, argument, field)
          else
            report(
              [...argument.path, 'index'],
              `${hook.name} has ${fields.length} fields, so there is no field ${argument.index}`,
              `Use one of ${describeFields(fields)}`,
              isCertain || kernel?.tracepoints ? 'error' : 'warn',
            )
        }
      }
    },
  },
  {
    id: 'tracepoint-order',
    level: 'error',
    why: 'The agent replaces the index in a filter with the position in args, one argument after the other, and replaces the result again if it is the index of a later argument. The filter then compares that argument.',
    check(policy, report) {
      for (const { hook, filter } of argumentFiltersOf(policy)) {
        if (hook.section !== 'tracepoints' || filter.list !== 'matchArgs' || Array.isArray(filter.spec.args)) continue
        const index = Number(filter.spec.index ?? 0)
        const compared = hook.args.reduce((found, argument, at) => (argument.index === found ? at : found), index)
        const meant = hook.args.findIndex(argument => argument.index === index)
        if (meant >= 0 && compared !== meant)
          report(
            [...filter.path, 'index'],
            `The filter on index ${index} of ${hook.name} compares index ${hook.args[compared]?.index ?? compared}`,
            'Sort args by their index',
          )
      }
    },
  },
]

function checkField(policy: Policy, report: Report, name: string, argument: Argument, field: Field): void {
  const { path, index, type = 'auto' } = argument
  const isCompared = argumentFiltersOf(policy).some(({ filter }) => filter.argument === argument)
  const isCommon = commonFields.includes(field.name)
  // An address is read as a number on purpose, to count or compare it.
  const isUnreadable =
    type !== 'auto' &&
    (isWrongKind(type, field.type) || (!argumentTypes.number.has(type) && !canRead(type, field.type)))
  if (type === 'auto' && isUnknownAuto(argument, field))
    report(
      path,
      `Argument ${index} of ${name} has no type, and the agent cannot guess it from ${field.name} (${field.type})`,
      `Write its type, as in type: ${readingType(field.type) ?? 'uint64'}`,
      // The fields of other tracepoints depend on the kernel.
      name.startsWith('syscalls/') ? 'error' : 'warn',
    )
  if (type === 'const_buf')
    report([...path, 'type'], 'The agent refuses const_buf as a type in a policy', 'Remove the type', 'error')
  if (!isUnreadable && !(isCommon && isCompared)) return
  const fields = tracepointFields(name)!
  const own = fields.findIndex((other, position) => position > 3 && canHold(type, other))
  const reader = readingType(field.type)
  report(
    [...path, 'index'],
    isUnreadable
      ? `Field ${index} of ${name} is ${field.name} (${field.type}), which cannot be read as ${type}`
      : `Field ${index} of ${name} is ${field.name}, which is about the tracepoint itself`,
    own >= 0 && (isCommon || index < 5 || !reader)
      ? `Write index: ${own} for ${describeField(fields[own]!, type)}. The fields are ${describeFields(fields)}`
      : `Write type: ${reader ?? 'uint64'}, or use one of ${describeFields(fields)}`,
    isCompared && (isUnreadable || isCommon) ? 'error' : 'warn',
  )
}

/** The field types from which the agent derives that of an argument: numbers of 4 and 8 bytes, and arrays. */
const guessable =
  /^(unsigned|(unsigned )?(int|long( long)?)|u32|u64|size_t)$|^((unsigned )?(char|short|int|long)|u8|u16|u32|u64|bool|pid_t|size_t)\[\]$/

/** Returns whether the agent cannot derive a type from that of a field. */
const isUnknownAuto = ({ spec }: Argument, { type }: Field): boolean =>
  !guessable.test(type) && !(type === 'char *' && Number(spec.sizeArgIndex ?? 0) > 0)

/** Returns whether a type reads text or a pointer, but the field is a number. */
function isWrongKind(type: string, fieldType: string): boolean {
  const readsPointer = [argumentTypes.path, argumentTypes.text, argumentTypes.socket].some(group => group.has(type))
  return readsPointer && type !== 'fd' && type !== 'data_loc' && !/[*\]]$/.test(fieldType) && !isAddress(fieldType)
}

/** Pointers are also kept as plain numbers, as in raw_syscalls. */
const isAddress = (fieldType: string): boolean => /^(unsigned long|u64|__u64)$/.test(fieldType)

const canHold = (type: string, field: Field): boolean =>
  type !== 'auto' && field.name !== '__syscall_nr' && !isWrongKind(type, field.type) && canRead(type, field.type)

const describeField = ({ name, type }: Field, fallback: string): string =>
  /^parameter/.test(name) ? `the first parameter that is ${/char/.test(type) ? 'text' : `a ${fallback}`}` : name

/** Lists fields from the first of the tracepoint's own, with their indexes. */
function describeFields(fields: Field[]): string {
  const own = fields
    .slice(4)
    .map(({ name, type }, position) => `${position + 4} (${/^parameter/.test(name) ? type : name})`)
  return own.length > 0 ? own.join(', ') : fields.map(({ name }, index) => `${index} (${name})`).join(', ')
}
