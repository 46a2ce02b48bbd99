import { isIP } from 'node:net'
import type { Argument, ArgumentFilter, Hook, Policy } from '../model/policy-model.ts'
import type { Rule } from './rule.ts'

// What is read of a call, and what it is compared with.

const words = (text: string, prefix = ''): Set<string> => new Set(text.split(' ').map(word => prefix + word))

/** Types by how the agent compares them. */
const types = {
  number: words(
    'int sint8 int8 uint8 sint16 int16 uint16 uint32 sint32 int32 ulong uint64 size_t long sint64 int64 syscall64',
  ),
  capabilities: words('kernel_cap_t cap_inheritable cap_permitted cap_effective'),
  /** Compared by the path that the kernel resolved. */
  path: words('file path fd linux_binprm dentry'),
  text: words('string char_buf data_loc net_device'),
  socket: words('sock skb socket sockaddr sockaddr_un'),
}

/** Types whose value is a path as the kernel sees it: links followed, from the root of the process. */
export const isResolvedPath = (argument?: Argument): boolean => types.path.has(argument?.type ?? '')

/** Whether an argument is compared as text: a path, or a name as the program gave it. */
export const isText = (argument?: Argument): boolean => isResolvedPath(argument) || types.text.has(argument?.type ?? '')

export const isNumber = (argument?: Argument): boolean => types.number.has(argument?.type ?? '')

/** Types for which the kernel side has no comparison at all: a filter on one lets everything through. */
const isComparable = (type: string): boolean => Object.values(types).some(group => group.has(type))

const textual = /^(Not)?(Prefix|Postfix)$/
const equality = words('Equal NotEqual')
const numeric = words('GT LT GreaterThan LessThan Mask InMap NotInMap InRange NotInRange')
const addresses = words('SAddr NotSAddr DAddr NotDAddr')
const ports = words('SPort NotSPort DPort NotDPort')
const sockets = new Set([
  ...addresses,
  ...ports,
  ...words('SPortPriv NotSportPriv DPortPriv NotDPortPriv Protocol Family State'),
])

/** Names that stand for the numbers of an operator. */
const names: Record<string, Set<string>> = {
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

/** What an operator can be used on, in words; undefined when it fits. */
function misfit(operator: string, type: string): string | undefined {
  if (operator === 'CelExpr') return undefined
  if (!isComparable(type)) return 'it cannot be compared with anything'
  if (operator === 'CapabilitiesGained') return types.capabilities.has(type) ? undefined : 'it takes capabilities'
  if (operator.includes('FileType')) return type === 'file' || type === 'path' ? undefined : 'it takes file or path'
  if (operator.startsWith('SubString'))
    return type === 'string' || type === 'char_buf' ? undefined : 'it takes string or char_buf'
  if (sockets.has(operator)) {
    if (!types.socket.has(type)) return 'it takes sock, skb, socket or sockaddr'
    if (type === 'sockaddr_un') return operator === 'Family' ? undefined : 'of these sockaddr_un takes only Family'
    return type === 'sockaddr' && /^(Not)?D|Protocol|State/.test(operator)
      ? 'sockaddr has one address, which is asked for with SAddr and SPort'
      : undefined
  }
  if (textual.test(operator))
    return types.path.has(type) || types.text.has(type) || type === 'sockaddr_un' ? undefined : 'it takes text or paths'
  if (equality.has(operator)) {
    if (type === 'dentry') return 'a dentry takes Prefix and Postfix'
    if (types.socket.has(type) && type !== 'sockaddr_un')
      return 'a socket is asked for by DAddr, DPort, Protocol and the like'
    return undefined
  }
  if (types.capabilities.has(type) && /^(GT|LT|GreaterThan|LessThan|Mask)$/.test(operator)) return undefined
  if (numeric.has(operator)) return types.number.has(type) ? undefined : 'it takes numbers'
  return undefined
}

/** What is wrong with a value for an operator and type; undefined when it can be read. */
function unreadable(operator: string, type: string, value: string): string | undefined {
  if (addresses.has(operator)) {
    const [address = '', bits, ...rest] = value.split('/')
    const family = isIP(address)
    const sound =
      family !== 0 &&
      rest.length === 0 &&
      (bits === undefined || (/^\d+$/.test(bits) && +bits <= (family === 4 ? 32 : 128)))
    return sound ? undefined : 'no address and no CIDR range'
  }
  if (ports.has(operator)) return /^\d+(:\d+)?$/.test(value) ? undefined : 'no port and no range as in 8000:8999'
  const named = Object.hasOwn(names, operator) ? names[operator] : undefined
  if (named)
    return /^\d+(:\d+)?$/.test(value) || named.has(value)
      ? undefined
      : `no number, and none of ${[...named].slice(0, 4).join(', ')} and so on`
  if (operator.includes('FileType'))
    return /^(sock|socket|lnk|link|reg|regular|blk|block|dir|chr|char|fifo|pipe)$/.test(value)
      ? undefined
      : 'none of reg, dir, lnk, sock, fifo, blk, chr'
  if (!types.number.has(type) || sockets.has(operator)) return undefined
  if (operator.endsWith('InMap') && value.startsWith('list:')) return undefined
  const number = '-?(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|\\d+)'
  if (operator.endsWith('InRange'))
    return new RegExp(`^${number}:${number}$`).test(value) ? undefined : 'no range as in 1:10'
  if (operator.endsWith('InMap'))
    return /^-?\d+(:-?\d+)?$/.test(value) ? undefined : 'no decimal number and no range as in 1:10'
  return new RegExp(`^${number}$`).test(value) ? undefined : 'no number'
}

/** All comparisons of arguments in a policy. */
export const filtersOf = (policy: Policy): { hook: Hook; filter: ArgumentFilter }[] =>
  policy.hooks.flatMap(hook => hook.selectors.flatMap(selector => selector.args.map(filter => ({ hook, filter }))))

export const argumentRules: Rule[] = [
  {
    id: 'argument-type',
    level: 'error',
    why: 'A type that is left out becomes auto, which the agent refuses for kprobes: only the author knows what stands in a register.',
    check(policy, report) {
      for (const hook of policy.hooks)
        if (hook.section === 'kprobes' || hook.section === 'fentries')
          for (const { path, type = 'auto' } of hook.args)
            if (type === 'auto' || type === 'syscall64')
              report(
                type === 'auto' ? path : [...path, 'type'],
                `an argument of ${hook.name} has ${type === 'auto' ? 'no type' : `type ${type}, which only tracepoints have`}`,
                'write its type, as in {index: 0, type: file}',
              )
    },
  },
  {
    id: 'argument-count',
    level: 'error',
    why: 'Five values of a call can be read, of its first five parameters: arguments and data together. The agent refuses more.',
    check(policy, report) {
      for (const hook of policy.hooks.filter(({ section }) => section !== 'tracepoints')) {
        for (const { path, index } of hook.args)
          if (index > 4) report([...path, 'index'], `parameter ${index} of ${hook.name}`, 'take an index from 0 to 4')
        const data = Array.isArray(hook.spec.data) ? hook.spec.data.length : 0
        if (hook.args.length + data > 5)
          report([...hook.path, 'args'], `${hook.args.length + data} values of ${hook.name}`, 'keep five of them')
      }
    },
  },
  {
    id: 'argument-unknown',
    level: 'error',
    why: 'Only an argument that is listed in args can be compared, and the agent refuses a comparison with another.',
    check(policy, report) {
      for (const { hook, filter } of filtersOf(policy)) {
        if (filter.list !== 'matchArgs' || filter.operator === 'CelExpr' || filter.argument) continue
        const wanted = Array.isArray(filter.spec.args)
          ? `position ${filter.spec.args[0]}`
          : `index ${filter.spec.index ?? 0}`
        report(
          filter.path,
          `${wanted} is not among the arguments of ${hook.name}`,
          `add it to args, as in {index: ${filter.spec.index ?? 0}, type: string}`,
        )
      }
    },
  },
  {
    id: 'return-argument',
    level: 'error',
    why: '`return: true` needs returnArg with a type, and without it returnArg and matchReturnArgs are not looked at.',
    check(policy, report) {
      for (const { path, name, section, spec, selectors } of policy.hooks) {
        if (section !== 'kprobes' && section !== 'fentries' && section !== 'uprobes') continue
        const type = (spec.returnArg as { type?: string } | undefined)?.type
        if (spec.return === true) {
          if (!spec.returnArg)
            report([...path, 'return'], `${name} returns something of no type`, 'add returnArg: {index: 0, type: int}')
          else if (type === undefined || type === 'auto')
            report(
              [...path, 'returnArg'],
              `what ${name} returns has no type`,
              'write its type, as in {index: 0, type: int}',
            )
          continue
        }
        const fix = 'add return: true'
        if (spec.returnArg) report([...path, 'returnArg'], `returnArg of ${name} without return: true`, fix)
        for (const { path: place, spec: selector } of selectors)
          for (const key of ['matchReturnArgs', 'matchReturnActions'])
            if (Array.isArray(selector[key]) && selector[key].length > 0)
              report([...place, key], `${key} of ${name} without return: true`, fix)
      }
    },
  },
  {
    id: 'return-action',
    level: 'error',
    why: 'returnArgAction takes TrackSock and UntrackSock. The schema lets others through, and the agent then refuses the policy.',
    check(policy, report) {
      for (const { path, name, spec } of policy.hooks)
        if (spec.returnArgAction && !['TrackSock', 'UntrackSock'].includes(String(spec.returnArgAction)))
          report(
            [...path, 'returnArgAction'],
            `returnArgAction ${spec.returnArgAction} on ${name}`,
            'leave it out: what a call returned is in the event already',
          )
    },
  },
  {
    id: 'in-for-arguments',
    level: 'error',
    why: 'In and NotIn compare binaries, namespaces and process ids. Arguments have Equal and NotEqual, which take several values too.',
    check(policy, report) {
      for (const { filter } of filtersOf(policy))
        if (filter.operator === 'In' || filter.operator === 'NotIn')
          report(
            [...filter.path, 'operator'],
            `${filter.list} with operator ${filter.operator}`,
            `write operator: ${filter.operator === 'In' ? 'Equal' : 'NotEqual'}`,
          )
    },
  },
  {
    id: 'operator-type',
    level: 'error',
    why: 'Some operators on the wrong type are refused by the agent; others are loaded, and then match everything or nothing.',
    check(policy, report) {
      for (const { filter } of filtersOf(policy)) {
        const { operator, argument } = filter
        if (!argument?.type || operator === 'In' || operator === 'NotIn') continue
        const pair = operator !== 'CapabilitiesGained' || (filter.spec.args as unknown[] | undefined)?.length === 2
        const wrong = misfit(operator, argument.type) ?? (pair ? undefined : 'it takes two, as in args: [0, 1]')
        if (wrong)
          report(
            [...filter.path, 'operator'],
            `${operator} on an argument of type ${argument.type}: ${wrong}`,
            'take an operator that fits the type, or another argument',
          )
      }
    },
  },
  {
    id: 'value-format',
    level: 'error',
    why: 'The agent refuses a value that it cannot read as the type and operator want it.',
    check(policy, report) {
      for (const { filter } of filtersOf(policy)) {
        const type = filter.argument?.type
        if (!type || misfit(filter.operator, type)) continue
        for (const [index, value] of filter.values.entries()) {
          const wrong = unreadable(filter.operator, type, value)
          if (wrong) report([...filter.path, 'values', index], `${JSON.stringify(value)} is ${wrong}`, 'mend the value')
        }
      }
    },
  },
  {
    id: 'too-many-values',
    level: 'error',
    why: 'The kernel side compares a number with four values at most, and the agent refuses more. Text and paths are looked up in a map, which has no such limit.',
    check(policy, report) {
      for (const { filter } of filtersOf(policy)) {
        const { operator, argument, values } = filter
        const type = argument?.type ?? ''
        const compared = equality.has(operator) || (numeric.has(operator) && !operator.endsWith('InMap'))
        if (compared && (types.number.has(type) || types.capabilities.has(type)) && values.length > 4)
          report(
            [...filter.path, 'values'],
            `${values.length} numbers for ${operator}`,
            'write operator: InMap (or NotInMap), or two selectors',
          )
      }
    },
  },
  {
    id: 'value-length',
    level: 'error',
    why: 'The kernel side compares 256 characters of a Prefix, 127 of a Postfix, 99 of a SubString and 255 of a binary, and the agent refuses longer ones.',
    check(policy, report) {
      const limit = (operator: string, binary: boolean): number => {
        if (operator.endsWith('Prefix')) return 256
        if (operator.endsWith('Postfix')) return 127
        if (operator.startsWith('SubString')) return 99
        return binary ? 255 : Number.POSITIVE_INFINITY
      }
      for (const hook of policy.hooks)
        for (const selector of hook.selectors)
          for (const [filters, binary] of [
            [selector.args, false],
            [[...selector.binaries, ...selector.parentBinaries], true],
          ] as const)
            for (const { path, operator, values } of filters)
              for (const [index, value] of values.entries())
                if (Buffer.byteLength(value) > limit(operator, binary))
                  report(
                    [...path, 'values', index],
                    `${Buffer.byteLength(value)} characters for ${operator}`,
                    `keep ${limit(operator, binary)} of them`,
                  )
    },
  },
]
