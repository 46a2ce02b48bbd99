import type { Path } from '../../../../shared/validation/yaml-source.ts'
import { isResolvedPath, isText } from '../../model/argument-types.ts'
import { argumentFiltersOf, type Filter, selectorsOf } from '../../model/policy-model.ts'
import type { Rule } from '../rule.ts'

// Values that never equal what the kernel compares them with.

const comparesText = /^(Not)?(Equal|In|Prefix|Postfix)$/

/** Returns whether a value is written as a pattern. In a path, ? and [a-z] are patterns too. */
const isPattern = (value: string): boolean =>
  /\*/.test(value) || (value.startsWith('/') && /\?|\[[^\]]+\]|\.\+|\$$/.test(value))

export const valueRules: Rule[] = [
  {
    id: 'wildcard',
    level: 'error',
    why: 'There are no wildcards and no regular expressions. The kernel compares every character of a value, so a path with * in it never matches.',
    check(policy, report) {
      const checkFilter = ({ path, operator, values }: Filter): void => {
        if (!comparesText.test(operator)) return
        const patterns = values.filter(isPattern)
        for (const value of patterns)
          report(
            [...path, 'values', values.indexOf(value)],
            `${JSON.stringify(value)} never matches, because there are no wildcards`,
            withoutPattern(value, operator),
            // Next to other values, the filter as a whole still works.
            patterns.length === values.length && !operator.startsWith('Not') ? 'error' : 'warn',
          )
      }
      for (const { filter } of argumentFiltersOf(policy))
        if (isText(filter.argument) || isResolvedPath(filter.argument)) checkFilter(filter)
      for (const { selector } of selectorsOf(policy))
        for (const filter of [...selector.binaries, ...selector.parentBinaries]) checkFilter(filter)
    },
  },
  {
    id: 'substring',
    level: 'warn',
    why: 'SubString needs a function of the kernel that Linux has since 6.17 (bpf_strnstr), and SubStringIgnCase a newer one (bpf_strncasestr). Without it, the filter never matches in a kprobe, and the agent refuses a uprobe.',
    check(policy, report, { kernel }) {
      for (const { hook, filter } of argumentFiltersOf(policy)) {
        const needed = substringFunctions[filter.operator]
        if (!needed || kernel?.symbols?.has(needed)) continue
        const place: Path = [...filter.path, 'operator']
        const outcome = hook.section === 'uprobes' ? 'the agent refuses it' : 'it never matches'
        report(
          place,
          kernel?.symbols
            ? `This kernel has no ${needed}, so ${filter.operator} does not work: ${outcome}`
            : `${filter.operator} does not work on kernels without ${needed}: ${outcome}`,
          'Use Prefix, Postfix or Equal, or check the kernel: grep -w ' + needed + ' /proc/kallsyms',
          kernel?.symbols ? 'error' : 'warn',
        )
      }
    },
  },
]

const substringFunctions: Record<string, string> = {
  SubString: 'bpf_strnstr',
  SubStringIgnCase: 'bpf_strncasestr',
}

/** Returns how to write a value with a single wildcard at its end or its start; otherwise what to do in general. */
function withoutPattern(value: string, operator: string): string {
  const not = operator.startsWith('Not') ? 'Not' : ''
  const [, start] = /^([^*?[\]]+)\*+$/.exec(value) ?? []
  if (start) return `Write operator: ${not}Prefix and ${JSON.stringify(start)}`
  const [, end] = /^\*+([^*?[\]]+)$/.exec(value) ?? []
  if (end) return `Write operator: ${not}Postfix and ${JSON.stringify(end)}`
  const [folder] = /^\/(?:[^*?[\]/]+\/)+/.exec(value) ?? []
  return folder
    ? `Write the paths in full, or what they share, as in operator: ${not}Prefix and ${JSON.stringify(folder)}`
    : `Write the values in full, or operator: ${not}Prefix or ${not}Postfix`
}
