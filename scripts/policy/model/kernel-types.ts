import { isSyscallName, readTable, withoutArchPrefix } from './kernel-names.ts'
import { type Argument, bareName, type Hook } from './policy-model.ts'

// What the values of a hook are in a recent kernel: the types of parameters, tracepoint fields and struct fields. Other
// kernels can differ, so a mismatch is not proof of a mistake.

/** The kernel of the lists in policies/schema. */
export const knownRelease = '6.18'

export interface Field {
  name: string
  /** As in C, without const: `struct file *`. */
  type: string
}

const tables = new Map<string, Map<string, string>>()

function lookUp(file: string, key: string): string | undefined {
  let table = tables.get(file)
  if (!table) {
    table = readTable(file)
    tables.set(file, table)
  }
  return table.get(key)
}

const splitList = (text: string): string[] => text.split(', ').filter(item => item !== '')

/** Returns the types of a kernel function's parameters, with a system call as `sys_NAME`; undefined if unknown. */
export function parameterTypes(name: string): string[] | undefined {
  const types = lookUp('prototypes.txt', withoutArchPrefix(name))
  return types === undefined ? undefined : splitList(types)
}

/** Returns the function whose parameters a hook reads; undefined for hooks on something else. */
export function functionOf(hook: Hook): string | undefined {
  if (hook.section === 'lsmhooks') return `bpf_lsm_${hook.name}`
  return hook.section === 'kprobes' || hook.section === 'fentries' ? bareName(hook) : undefined
}

/** The fields that every tracepoint starts with. */
const commonFields: Field[] = [
  { name: 'common_type', type: 'unsigned short' },
  { name: 'common_flags', type: 'unsigned char' },
  { name: 'common_preempt_count', type: 'unsigned char' },
  { name: 'common_pid', type: 'int' },
]

/** Returns the fields of a tracepoint (`subsystem/event`); undefined if unknown. */
export function tracepointFields(name: string): Field[] | undefined {
  const fields = ownFields(name)
  return fields && [...commonFields, ...fields]
}

function ownFields(name: string): Field[] | undefined {
  const [, end, syscall] = /^syscalls\/sys_(enter|exit)_(\w+)$/.exec(name) ?? []
  if (end) {
    const parameters = parameterTypes(`sys_${syscall}`)
    if (!parameters) return undefined
    const number = { name: '__syscall_nr', type: 'int' }
    return end === 'exit'
      ? [number, { name: 'ret', type: 'long' }]
      : [number, ...parameters.map((type, index) => ({ name: `parameter ${index}`, type }))]
  }
  const text = lookUp('tracepoint-fields.txt', name)
  return (text &&
    splitList(text).map(field => {
      const space = field.lastIndexOf(' ')
      return { name: field.slice(space + 1), type: field.slice(0, space) }
    })) as Field[] | undefined
}

// --- types of arguments

/** The kernel types that each type of an argument reads. Types that are not here read anything. */
const readable: Record<string, RegExp> = {
  file: /^struct file \*$/,
  path: /^struct path \*$/,
  filename: /^struct filename \*$/,
  linux_binprm: /^struct linux_binprm \*$/,
  dentry: /^struct dentry \*$/,
  cred: /^struct cred \*$/,
  sock: /^struct sock \*$/,
  socket: /^struct socket \*$/,
  skb: /^struct sk_buff \*$/,
  sockaddr: /^struct sockaddr(_\w+)? \*$/,
  sockaddr_un: /^struct sockaddr(_\w+)? \*$/,
  net_device: /^struct net_device \*$/,
  bpf_map: /^struct bpf_map \*$/,
  bpf_prog: /^struct bpf_prog \*$/,
  bpf_attr: /^union bpf_attr \*$/,
  perf_event: /^struct perf_event \*$/,
  user_namespace: /^struct user_namespace \*$/,
  load_info: /^struct load_info \*$/,
  module: /^struct module \*$/,
  kiocb: /^struct kiocb \*$/,
  iov_iter: /^struct iov_iter \*$/,
  char_iovec: /^struct iovec \*$/,
  kernel_cap_t: /^kernel_cap_t \*$/,
  cap_inheritable: /^kernel_cap_t \*$/,
  cap_permitted: /^kernel_cap_t \*$/,
  cap_effective: /^kernel_cap_t \*$/,
  // Text can be behind any pointer to bytes.
  string: /^(__data_loc )?(unsigned char|char|void|u8|__u8|uint8_t)( \*|\[\])$/,
}

/** Types that read a number, of whatever width. Most pointers are numbers too, but not useful ones. */
const numberType = /^(s|u)?int(8|16|32|64)?$|^(u?long|size_t|syscall64|capability|bpf_cmd|fd)$/

/** Pointers to structs. As a number, such a parameter is an address in the kernel. */
const structPointer = /^(struct|union) \w+ \*+$/

/** Returns whether a type of an argument reads a value of a kernel type. True when in doubt. */
export function canRead(type: string, kernelType: string): boolean {
  if (numberType.test(type)) return !structPointer.test(kernelType)
  const pattern = readable[type]
  return !pattern || pattern.test(kernelType)
}

/** Returns the type of an argument that reads a kernel type; undefined if there is none. */
export function readingType(kernelType: string): string | undefined {
  if (/^char \*$/.test(kernelType)) return 'string'
  if (/^__data_loc char\[\]$/.test(kernelType)) return 'data_loc'
  const found = Object.entries(readable).find(([, pattern]) => pattern.test(kernelType))?.[0]
  if (found) return found
  if (/\*|\[|\(/.test(kernelType)) return undefined
  if (/^(size_t|__kernel_size_t)$/.test(kernelType)) return 'size_t'
  if (/^(unsigned long|u64|__u64|loff_t)/.test(kernelType)) return 'uint64'
  if (/^(long|s64)/.test(kernelType)) return 'int64'
  return /^(unsigned|u32|__u32|umode_t|uid_t|gid_t)/.test(kernelType) ? 'uint32' : 'int'
}

// --- paths into structs

/** The most steps of a path, counting every pointer as one. */
export const maxResolveDepth = 10

/** Splits `a.b[1].c` into its steps, as the agent does; undefined if it is malformed. */
export function resolveSteps(path: string): string[] | undefined {
  if (/\.\.|\.\[|\[\]|^\[?$/.test(path) || !/^[^[\]]*(\[[^[\]]+\][^[\]]*)*$/.test(path)) return undefined
  return [...path.matchAll(/\[[^\]]+\]|[^.[\]]+/g)].map(([step]) => step)
}

export interface MissingField {
  struct: string
  field: string
  known: string[]
}

/** Returns the first field of a `resolve` path that no known kernel has; undefined when all may exist. */
export function missingField(hook: Hook, argument: Argument): MissingField | undefined {
  // An entry of data is never a parameter. The rule data-source reports one without a source.
  if (hook.data.includes(argument) && !argument.source) return undefined
  let struct = rootStruct(hook, argument)
  for (const step of resolveSteps(argument.resolve ?? '') ?? []) {
    if (step.startsWith('[')) continue
    const line = struct && lookUp('structs.txt', struct)
    if (!struct || !line) return undefined
    const fields = new Map(
      line.split(' ').map(field => {
        const [name = '', target] = field.split('=')
        return [name, target] as const
      }),
    )
    if (!fields.has(step)) return { struct, field: step, known: [...fields.keys()] }
    struct = fields.get(step)
  }
  return undefined
}

/** Returns the struct in which a `resolve` path starts. */
function rootStruct(hook: Hook, { source, index }: Argument): string | undefined {
  if (source === 'current_task') return 'task_struct'
  const name = functionOf(hook)
  if (source || !name || isSyscallName(name)) return undefined
  const type = parameterTypes(name)?.[index]
  return /^(?:struct|union) (\w+) \*$/.exec(type ?? '')?.[1]
}
