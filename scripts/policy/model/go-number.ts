// Numbers as the agent parses them, with Go's strconv.ParseInt and ParseUint.

export interface IntegerKind {
  isSigned: boolean
  bits: 32 | 64
}

/** The number that the agent makes of a value of each type, whatever the width of the type itself. */
const kinds: Record<string, IntegerKind> = Object.fromEntries([
  ...'int sint8 int8 sint16 int16 sint32 int32 size_t'.split(' ').map(type => [type, { isSigned: true, bits: 32 }]),
  ...'uint8 uint16 uint32'.split(' ').map(type => [type, { isSigned: false, bits: 32 }]),
  ...'sint64 int64 long syscall64'.split(' ').map(type => [type, { isSigned: true, bits: 64 }]),
  ...'uint64 ulong'.split(' ').map(type => [type, { isSigned: false, bits: 64 }]),
])

/** Returns how the agent parses a value of a type; undefined for a type that is not a number. */
export const integerKind = (type: string): IntegerKind | undefined =>
  Object.hasOwn(kinds, type) ? kinds[type] : undefined

/** The digits can be separated by single underscores, also after the prefix. A leading 0 means octal. */
const withPrefix = /^([+-]?)(0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0(?:_?[0-7])*|[1-9](?:_?\d)*)$/

/** Parses a whole number whose prefix tells the base; undefined if it is not one. */
export function parsePrefixedInteger(text: string): bigint | undefined {
  const [, sign = '', digits] = withPrefix.exec(text) ?? []
  if (digits === undefined) return undefined
  const plain = digits.replaceAll('_', '').toLowerCase()
  const value = BigInt(/^0[0-7]+$/.test(plain) ? `0o${plain.slice(1)}` : plain)
  return sign === '-' ? -value : value
}

/** Parses a decimal number; undefined if it is not one. */
export const parseDecimalInteger = (text: string): bigint | undefined =>
  /^[+-]?\d+$/.test(text) ? BigInt(text.replace(/^\+/, '')) : undefined

/** Returns why the agent refuses a number; undefined when it takes it. */
export function integerProblem(
  text: string,
  { isSigned, bits }: IntegerKind,
  parse: (text: string) => bigint | undefined = parsePrefixedInteger,
): string | undefined {
  const value = parse(text)
  if (value === undefined)
    return /^[+-]?0\d+$/.test(text) ? 'is not an octal number, as its leading 0 says' : 'is not a number'
  // Go accepts a sign for signed numbers only.
  if (!isSigned && /^[+-]/.test(text))
    return value < 0n ? 'is negative, but the type is unsigned' : 'has a sign, but the type is unsigned'
  const [lowest, highest] = isSigned
    ? [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]
    : [0n, 2n ** BigInt(bits) - 1n]
  if (value >= lowest && value <= highest) return undefined
  // The agent writes what was meant as -1 the same way.
  const wrapped =
    isSigned && value > highest && value < 2n ** BigInt(bits) ? ` (write ${value - 2n ** BigInt(bits)} for it)` : ''
  return `is not between ${lowest} and ${highest}${wrapped}`
}
