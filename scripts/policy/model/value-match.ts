import type { Argument, Filter, Selector } from './policy-model.ts'

// What a filter lets through, where text, paths and binaries are compared.

/** Operators that say what a text has to be; all others say what it must not be, or compare numbers and addresses. */
const positive = new Set(['Equal', 'In', 'Prefix', 'Postfix', 'SubString', 'SubStringIgnCase'])

/** Whether a filter says what a value has to be, and not only what it must not be. */
export const isPositive = ({ operator }: Filter): boolean => positive.has(operator)

/** Whether a filter lets a text through; undefined where it compares something else. */
export function letsThrough({ operator, values }: Filter, text: string): boolean | undefined {
  const plain = operator.replace(/^Not/, '')
  const matches = values.some(value => matchesOne(plain, value, text))
  if (!positive.has(plain)) return undefined
  return operator.startsWith('Not') ? !matches : matches
}

function matchesOne(operator: string, value: string, text: string): boolean {
  switch (operator) {
    case 'Prefix':
      return text.startsWith(value)
    case 'Postfix':
      return text.endsWith(value)
    case 'SubString':
      return text.includes(value)
    case 'SubStringIgnCase':
      return text.toLowerCase().includes(value.toLowerCase())
    default:
      return text === value
  }
}

/** Whether some call can pass both of two selectors. Where that cannot be told it is taken to. */
export const meet = (a: Selector, b: Selector): boolean =>
  pairs(a.args, b.args).every(
    ([one, other]) => !sameArgument(one.argument, other.argument) || someValueFits(one, other),
  ) &&
  pairs(a.binaries, b.binaries).every(([one, other]) => followed(one) || followed(other) || someValueFits(one, other))

const sameArgument = (a?: Argument, b?: Argument): boolean => a?.index === b?.index && a?.resolve === b?.resolve

const followed = ({ spec }: Filter): boolean => spec.followChildren === true

const pairs = <T>(a: T[], b: T[]): [T, T][] => a.flatMap(one => b.map((other): [T, T] => [one, other]))

/** Whether some value passes both filters. */
function someValueFits(a: Filter, b: Filter): boolean {
  if (!isPositive(a))
    return isPositive(b) && isExact(b) ? b.values.some(value => letsThrough(a, value) !== false) : true
  if (!isPositive(b)) return someValueFits(b, a)
  return pairs(a.values, b.values).some(([one, other]) => {
    if (isExact(a)) return letsThrough({ ...b, values: [other] }, one)
    if (isExact(b)) return letsThrough({ ...a, values: [one] }, other)
    // A beginning and an end can always belong to one text; two beginnings only where one goes on from the other, and so with ends.
    if (a.operator !== b.operator || a.operator.startsWith('Sub')) return true
    return a.operator === 'Prefix'
      ? one.startsWith(other) || other.startsWith(one)
      : one.endsWith(other) || other.endsWith(one)
  })
}

const isExact = ({ operator }: Filter): boolean => operator === 'Equal' || operator === 'In'
