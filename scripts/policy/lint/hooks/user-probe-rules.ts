import type { Rule } from '../rule.ts'

// Where a uprobe is in its program. Its scope is in scope-rules.ts.

/** The ways to say where in a program a uprobe is. */
const targetKeys = ['symbols', 'offsets', 'addrs'] as const

const countOf = (value: unknown): number => (Array.isArray(value) ? value.length : 0)

export const userProbeRules: Rule[] = [
  {
    id: 'uprobe-target',
    level: 'error',
    why: 'A uprobe has symbols, offsets or addrs. The agent refuses one without any and one with all three. Of two, it uses the first and ignores the other. refCtrOffsets has one entry for each of them.',
    check(policy, report) {
      for (const { section, path, name, spec } of policy.hooks) {
        if (section !== 'uprobes' || name === '') continue
        const used = targetKeys.filter(key => countOf(spec[key]) > 0)
        if (used.length === 0)
          report(path, `The uprobe in ${name} has no symbols`, 'Add symbols, as in symbols: [main]')
        if (used.length > 1)
          report(
            [...path, used[1]!],
            `The uprobe in ${name} has ${used.join(' and ')}`,
            'Keep one of them',
            used.length === 3 ? 'error' : 'warn',
          )
        const counters = countOf(spec.refCtrOffsets)
        for (const key of ['symbols', 'offsets'])
          if (counters > 0 && countOf(spec[key]) > 0 && countOf(spec[key]) !== counters)
            report(
              [...path, 'refCtrOffsets'],
              `There are ${countOf(spec[key])} ${key}, but refCtrOffsets for ${counters}`,
              `Write one entry for each of the ${key}`,
            )
      }
    },
  },
]
