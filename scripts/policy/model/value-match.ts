import { BlockList, isIP } from 'node:net'
import { isSocket, isText } from './argument-types.ts'
import type { Argument, ArgumentFilter, Filter, Selector } from './policy-model.ts'

// Which values pass a filter, for text, paths, binaries and socket addresses.

/** The operators that say which text matches. The others exclude texts, or compare numbers and addresses. */
const positiveTextOperators = new Set(['Equal', 'In', 'Prefix', 'Postfix', 'SubString', 'SubStringIgnCase'])

/** Returns whether a filter says which texts match, rather than which do not. */
export const isPositive = ({ operator }: Filter): boolean => positiveTextOperators.has(operator)

/**
 * Returns whether a value passes an argument's filter: a path or text, or `ADDRESS:PORT` for a socket.
 * @returns undefined when the filter compares something that the value does not tell.
 */
export function passesArgumentFilter(filter: ArgumentFilter, value: string): boolean | undefined {
  if (isSocket(filter.argument)) return passesSocketFilter(filter, value)
  return filter.argument?.type === undefined || isText(filter.argument) ? passesTextFilter(filter, value) : undefined
}

/** Returns whether a text passes a filter; undefined when the filter does not compare text. */
export function passesTextFilter({ operator, values }: Filter, text: string): boolean | undefined {
  const positive = operator.replace(/^Not/, '')
  if (!positiveTextOperators.has(positive)) return undefined
  const matches = values.some(value => matchesText(positive, value, text))
  return operator.startsWith('Not') ? !matches : matches
}

function matchesText(operator: string, value: string, text: string): boolean {
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

function passesSocketFilter({ operator, values }: Filter, value: string): boolean | undefined {
  const [, address = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(value) ?? []
  switch (operator) {
    case 'DAddr':
      return isInSubnets(address, values)
    case 'NotDAddr':
      return !isInSubnets(address, values)
    case 'DPort':
      return values.some(range => isInRange(port, range))
    case 'NotDPort':
      return !values.some(range => isInRange(port, range))
    default:
      return undefined
  }
}

function isInSubnets(address: string, values: string[]): boolean {
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  const subnets = new BlockList()
  for (const value of values) {
    const [net = '', bits] = value.split('/')
    if (isIP(net) === 0 || (isIP(net) === 6) !== (family === 'ipv6')) continue
    if (bits === undefined) subnets.addAddress(net, family)
    else subnets.addSubnet(net, Number(bits), family)
  }
  return isIP(address) !== 0 && subnets.check(address, family)
}

function isInRange(port: string, range: string): boolean {
  const [from, to = from] = range.split(':').map(Number)
  return Number(port) >= from! && Number(port) <= to!
}

// --- overlap of two selectors

/** Returns whether one call can match both selectors. Returns true when that cannot be decided. */
export const canMatchSameCall = (a: Selector, b: Selector): boolean =>
  pairs(a.args, b.args).every(
    ([one, other]) => !isSameArgument(one.argument, other.argument) || haveCommonValue(one, other),
  ) &&
  pairs(a.binaries, b.binaries).every(
    ([one, other]) => followsChildren(one) || followsChildren(other) || haveCommonValue(one, other),
  )

const isSameArgument = (a?: Argument, b?: Argument): boolean => a?.index === b?.index && a?.resolve === b?.resolve

const followsChildren = ({ spec }: Filter): boolean => spec.followChildren === true

const pairs = <T>(a: T[], b: T[]): [T, T][] => a.flatMap(one => b.map((other): [T, T] => [one, other]))

function haveCommonValue(a: Filter, b: Filter): boolean {
  if (!isPositive(a))
    return isPositive(b) && isExact(b) ? b.values.some(value => passesTextFilter(a, value) !== false) : true
  if (!isPositive(b)) return haveCommonValue(b, a)
  return pairs(a.values, b.values).some(([one, other]) => {
    if (isExact(a)) return passesTextFilter({ ...b, values: [other] }, one)
    if (isExact(b)) return passesTextFilter({ ...a, values: [one] }, other)
    // Some text always has a given prefix and a given postfix. Two prefixes fit only if one starts with the other;
    // postfixes likewise.
    if (a.operator !== b.operator || a.operator.startsWith('Sub')) return true
    return a.operator === 'Prefix'
      ? one.startsWith(other) || other.startsWith(one)
      : one.endsWith(other) || other.endsWith(one)
  })
}

const isExact = ({ operator }: Filter): boolean => operator === 'Equal' || operator === 'In'
