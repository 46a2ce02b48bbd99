import type { Argument } from './policy-model.ts'

// Argument types of a hook, grouped by how the agent compares their values.

const words = (text: string): Set<string> => new Set(text.split(' '))

export const argumentTypes = {
  number: words(
    'int sint8 int8 uint8 sint16 int16 uint16 uint32 sint32 int32 ulong uint64 size_t long sint64 int64 syscall64',
  ),
  capabilities: words('kernel_cap_t cap_inheritable cap_permitted cap_effective'),
  /** Paths as the kernel sees them: from the root of the process, with links followed. */
  path: words('file path fd linux_binprm dentry'),
  text: words('string char_buf data_loc net_device'),
  socket: words('sock skb socket sockaddr sockaddr_un'),
} as const

const hasType = (group: ReadonlySet<string>, argument?: Argument): boolean => group.has(argument?.type ?? '')

/** Returns whether the kernel resolves an argument's path before it compares it. */
export const isResolvedPath = (argument?: Argument): boolean => hasType(argumentTypes.path, argument)

/** Returns whether an argument is compared as text: a resolved path, or a string that the program passed. */
export const isText = (argument?: Argument): boolean =>
  isResolvedPath(argument) || hasType(argumentTypes.text, argument)

export const isNumber = (argument?: Argument): boolean => hasType(argumentTypes.number, argument)

export const isSocket = (argument?: Argument): boolean => hasType(argumentTypes.socket, argument)

/** Returns whether the agent can compare a type at all. A filter on any other type matches every value. */
export const isComparable = (type: string): boolean => Object.values(argumentTypes).some(group => group.has(type))
