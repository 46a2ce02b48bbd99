import { isIP } from 'node:net'
import { argumentTypes, isComparable } from '../../model/argument-types.ts'
import {
  type IntegerKind,
  integerKind,
  integerProblem,
  parseDecimalInteger,
  parsePrefixedInteger,
} from '../../model/go-number.ts'
import { argumentFiltersOf, selectorsOf } from '../../model/policy-model.ts'
import type { Rule } from '../rule.ts'

// The operators and values of filters on arguments.

const words = (text: string, prefix = ''): Set<string> => new Set(text.split(' ').map(word => prefix + word))

const prefixOperator = /^(Not)?(Prefix|Postfix)$/
const equality = words('Equal NotEqual')
const numeric = words('GT LT GreaterThan LessThan Mask InMap NotInMap InRange NotInRange')
const addresses = words('SAddr NotSAddr DAddr NotDAddr')
const ports = words('SPort NotSPort DPort NotDPort')
const sockets = new Set([
  ...addresses,
  ...ports,
  ...words('SPortPriv NotSportPriv DPortPriv NotDPortPriv Protocol Family State'),
])

/** The names that an operator accepts in place of numbers. */
const namedNumbers: Record<string, Set<string>> = {
  Protocol: words(
    'TCP UDP ICMP IPV6 SCTP MPTCP IP IGMP IPIP EGP PUP IDP TP DCCP RSVP GRE ESP AH MTP BEETPH ENCAP PIM COMP UDPLITE MPLS ETHERNET RAW',
    'IPPROTO_',
  ),
  Family: words(
    'INET INET6 UNIX NETLINK UNSPEC AX25 IPX APPLETALK NETROM BRIDGE ATMPVC X25 ROSE NETBEUI SECURITY KEY PACKET ASH ECONET ATMSVC RDS IRDA PPPOX WANPIPE LLC IB MPLS CAN TIPC BLUETOOTH IUCV RXRPC ISDN PHONET IEEE802154 CAIF ALG NFC VSOCK KCM QIPCRTR SMC XDP MCTP',
    'AF_',
  ),
  State: words(
    'ESTABLISHED SYN_SENT LISTEN CLOSE SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE_WAIT LAST_ACK CLOSING NEW_SYN_RECV',
    'TCP_',
  ),
}

const { number, capabilities, path, text, socket } = argumentTypes

/** Returns why an operator does not work on a type; undefined when it does. */
function operatorProblem(operator: string, type: string): string | undefined {
  if (operator === 'CelExpr') return undefined
  if (!isComparable(type)) return 'this type cannot be compared'
  if (operator === 'CapabilitiesGained') return capabilities.has(type) ? undefined : 'it needs capabilities'
  if (operator.includes('FileType')) return type === 'file' || type === 'path' ? undefined : 'it needs file or path'
  if (operator.startsWith('SubString'))
    return type === 'string' || type === 'char_buf' ? undefined : 'it needs string or char_buf'
  if (sockets.has(operator)) return socketOperatorProblem(operator, type)
  if (prefixOperator.test(operator))
    return path.has(type) || text.has(type) || type === 'sockaddr_un' ? undefined : 'it needs text or a path'
  if (equality.has(operator)) {
    if (type === 'dentry') return 'a dentry supports only Prefix and Postfix'
    if (socket.has(type) && type !== 'sockaddr_un') return 'a socket is compared by DAddr, DPort, Protocol and the like'
    return undefined
  }
  if (capabilities.has(type) && /^(GT|LT|GreaterThan|LessThan|Mask)$/.test(operator)) return undefined
  if (numeric.has(operator)) return number.has(type) ? undefined : 'it needs a number'
  return undefined
}

function socketOperatorProblem(operator: string, type: string): string | undefined {
  if (!socket.has(type)) return 'it needs sock, skb, socket or sockaddr'
  if (type === 'sockaddr_un') return operator === 'Family' ? undefined : 'sockaddr_un supports only Family'
  if (type === 'sockaddr' && /^(Not)?D|Protocol|State/.test(operator))
    return 'sockaddr has a single address, which SAddr and SPort compare'
  return undefined
}

/** Returns why the agent cannot parse a value; undefined when it can. */
function valueProblem(operator: string, type: string, value: string): string | undefined {
  if (addresses.has(operator)) return isAddressOrRange(value) ? undefined : 'is not an address or a CIDR range'
  if (ports.has(operator)) {
    if (!/^\d+(:\d+)?$/.test(value)) return 'is not a port or a range such as 8000:8999'
    return value.split(':').some(port => Number(port) > 65535) ? 'is above 65535, the highest port' : undefined
  }
  const names = Object.hasOwn(namedNumbers, operator) ? namedNumbers[operator] : undefined
  if (names)
    return /^\d+(:\d+)?$/.test(value) || names.has(value)
      ? undefined
      : `is not a number or a name such as ${[...names].slice(0, 4).join(', ')}`
  if (operator.includes('FileType'))
    return /^(sock|socket|lnk|link|reg|regular|blk|block|dir|chr|char|fifo|pipe)$/.test(value)
      ? undefined
      : 'is not one of reg, dir, lnk, sock, fifo, blk, chr'
  if (!number.has(type) || sockets.has(operator) || operator === 'CelExpr') return undefined
  return numberProblem(operator, type, value)
}

function numberProblem(operator: string, type: string, value: string): string | undefined {
  const kind = integerKind(type)
  // The rule list checks lists.
  if (!kind || (operator.endsWith('InMap') && value.startsWith('list:'))) return undefined
  if (operator.endsWith('InRange')) {
    const ends = value.split(':')
    if (ends.length !== 2) return 'is not a range such as 1:10'
    const problem = firstProblem(ends, { isSigned: true, bits: 64 })
    if (problem) return problem
    return kind.bits === 32 && ends.some(end => parsePrefixedInteger(end)! > 0xffffffffn)
      ? `is above ${0xffffffff}, the most for ${type}`
      : undefined
  }
  if (operator.endsWith('InMap')) {
    const ends = value.split(':')
    if (ends.length > 2) return 'is not a number or a range such as 1:10'
    return firstProblem(ends, { isSigned: kind.isSigned, bits: 64 }, parseDecimalInteger)
  }
  return integerProblem(value, kind)
}

/** Returns the problem of the first end of a range that has one. */
function firstProblem(
  ends: string[],
  kind: IntegerKind,
  parse?: (text: string) => bigint | undefined,
): string | undefined {
  const problem = ends.map(end => integerProblem(end, kind, parse)).find(Boolean)
  return problem?.replace(
    /^is not a number$/,
    ends.length > 1 ? 'is not a range such as 1:10' : 'is not a decimal number',
  )
}

function isAddressOrRange(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  // Go refuses a leading 0 in the length, and a zone before it.
  return (
    bits === undefined ||
    (/^(0|[1-9]\d*)$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128) && !address.includes('%'))
  )
}

export const operatorRules: Rule[] = [
  {
    id: 'in-for-arguments',
    level: 'error',
    why: 'In and NotIn compare binaries, namespaces and process ids. For arguments, use Equal and NotEqual, which also accept several values.',
    check(policy, report) {
      for (const { filter } of argumentFiltersOf(policy))
        if (filter.operator === 'In' || filter.operator === 'NotIn')
          report(
            [...filter.path, 'operator'],
            `${filter.list} does not support the operator ${filter.operator}`,
            `Write operator: ${filter.operator === 'In' ? 'Equal' : 'NotEqual'}`,
          )
    },
  },
  {
    id: 'operator-type',
    level: 'error',
    why: 'The agent refuses some operators on the wrong type. It loads others, which then match everything or nothing.',
    check(policy, report) {
      for (const { filter } of argumentFiltersOf(policy)) {
        const { operator, argument } = filter
        // The agent replaces auto with the type of the tracepoint's field. Elsewhere, argument-type reports it.
        if (!argument?.type || argument.type === 'auto' || operator === 'In' || operator === 'NotIn') continue
        const needsTwo = operator === 'CapabilitiesGained'
        const hasTwo = (filter.spec.args as unknown[] | undefined)?.length === 2
        const problem =
          operatorProblem(operator, argument.type) ??
          (needsTwo && !hasTwo ? 'it needs two arguments, as in args: [0, 1]' : undefined)
        if (problem)
          report(
            [...filter.path, 'operator'],
            `${operator} does not work on an argument of type ${argument.type}: ${problem}`,
            'Use an operator for this type, or another argument',
          )
      }
    },
  },
  {
    id: 'value-format',
    level: 'error',
    why: 'The agent refuses a value that it cannot parse for the type and the operator.',
    check(policy, report) {
      for (const { filter } of argumentFiltersOf(policy)) {
        const type = filter.argument?.type
        if (!type || type === 'auto' || operatorProblem(filter.operator, type)) continue
        for (const [index, value] of filter.values.entries()) {
          const problem = valueProblem(filter.operator, type, value)
          if (problem)
            report([...filter.path, 'values', index], `${JSON.stringify(value)} ${problem}`, 'Correct the value')
        }
      }
    },
  },
  {
    id: 'too-many-values',
    level: 'error',
    why: 'The kernel side compares a number with at most 4 values, and the agent refuses more. Text and paths are looked up in a map without this limit.',
    check(policy, report) {
      for (const { filter } of argumentFiltersOf(policy)) {
        const { operator, argument, values } = filter
        const type = argument?.type ?? ''
        const isLimited = equality.has(operator) || (numeric.has(operator) && !operator.endsWith('InMap'))
        if (isLimited && (number.has(type) || capabilities.has(type)) && values.length > 4)
          report(
            [...filter.path, 'values'],
            `${operator} has ${values.length} numbers`,
            'Write operator: InMap (or NotInMap), or use two selectors',
          )
      }
    },
  },
  {
    id: 'value-length',
    level: 'error',
    why: 'The kernel side compares at most 256 characters of a Prefix, 127 of a Postfix, 99 of a SubString and 255 of a binary. The agent refuses longer values.',
    check(policy, report) {
      for (const { selector } of selectorsOf(policy))
        for (const [filters, otherwise] of [
          [selector.args, Number.POSITIVE_INFINITY],
          [[...selector.binaries, ...selector.parentBinaries], 255],
        ] as const)
          for (const { path, operator, values } of filters)
            for (const [index, value] of values.entries()) {
              const length = Buffer.byteLength(value)
              const limit = lengthLimit(operator) ?? otherwise
              if (length > limit)
                report(
                  [...path, 'values', index],
                  `A value of ${operator} has ${length} characters`,
                  `Keep ${limit} of them`,
                )
            }
    },
  },
]

function lengthLimit(operator: string): number | undefined {
  if (operator.endsWith('Prefix')) return 256
  if (operator.endsWith('Postfix')) return 127
  return operator.startsWith('SubString') ? 99 : undefined
}
