// Writes what the lint knows of a kernel to policies/schema/: the parameters of functions, the fields of structs and of
// tracepoints. Run it by hand, on a machine with the newest kernel that the lint should know, with tracefs mounted:
//   sudo node scripts/policy/model/vendor-kernel.ts /sys/kernel/tracing
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { policyFolder } from '../../../shared/policy-file.ts'
import { Btf } from './btf.ts'
import { knownSymbols, tracepointSubsystems } from './kernel-names.ts'

const [, , tracefs] = process.argv
if (!tracefs) {
  console.error('usage: node scripts/policy/model/vendor-kernel.ts TRACEFS')
  process.exit(2)
}

/** Functions that policies often hook, besides those of symbols.txt. */
const functionName =
  /^(vfs|do|ksys|__sys|tcp|udp|inet|sock|unix|kernel|cap|ptrace|filp|commit|prepare|bprm|exec|ip|ip6|module|seccomp|path|file|fd|close|begin|mmap)_/

const btf = Btf.read('/sys/kernel/btf/vmlinux')
const kernel = `Linux ${release().split('.').slice(0, 2).join('.')} (amd64)`
const kallsyms = new Set(
  readFileSync('/proc/kallsyms', 'utf8')
    .split('\n')
    .map(line => line.split(' ')[2]?.split('\t')[0]),
)

/** System calls that some kernels are built without, so that tracefs has no format for them. */
const optionalSyscalls: Record<string, string[]> = {
  init_module: ['void *', 'unsigned long', 'char *'],
  finit_module: ['int', 'char *', 'int'],
  delete_module: ['char *', 'unsigned int'],
  kexec_load: ['unsigned long', 'unsigned long', 'struct kexec_segment *', 'unsigned long'],
  kexec_file_load: ['int', 'int', 'unsigned long', 'char *', 'unsigned long'],
}

interface Field {
  name: string
  type: string
}

/** Returns the fields of a tracepoint, without the four that all have. */
function tracepointFields(event: string): Field[] {
  const lines = readFileSync(join(tracefs!, 'events', event, 'format'), 'utf8').matchAll(/^\tfield:([^;]*);/gm)
  return [...lines].slice(4).map(([, text = '']) => {
    const [, type = '', name = '', array = ''] = /^(.*?)\s*(\w+)((?:\[.*\])?)$/.exec(text) ?? []
    return { name, type: `${type.replaceAll(/\bconst\b ?/g, '').replaceAll(/ ?(\*+)$/g, ' $1')}${array && '[]'}` }
  })
}

const syscalls: Record<string, string[]> = { ...optionalSyscalls }
const events: string[] = []
for (const subsystem of [...tracepointSubsystems(), 'syscalls'])
  for (const event of readdirSync(join(tracefs, 'events', subsystem), { withFileTypes: true })) {
    if (!event.isDirectory()) continue
    const syscall = subsystem === 'syscalls' && event.name.startsWith('sys_enter_')
    if (subsystem === 'syscalls' && !syscall) continue
    const fields = tracepointFields(`${subsystem}/${event.name}`)
    // The first field of a system call is its number.
    if (syscall) syscalls[event.name.slice('sys_enter_'.length)] = fields.slice(1).map(({ type }) => type)
    else events.push(`${subsystem}/${event.name}: ${fields.map(({ type, name }) => `${type} ${name}`).join(', ')}`)
  }

const symbols = knownSymbols()
const functions = btf
  .functionNames()
  .filter(name => kallsyms.has(name) && (symbols.has(name) || functionName.test(name)))
const prototypes = [
  ...Object.entries(syscalls).map(([name, types]) => `sys_${name}: ${types.join(', ')}`),
  ...functions.map(name => `${name}: ${btf.parameters(name)!.join(', ')}`),
]

/** The structs that a path such as mm.owner.comm can lead through: those of the known functions, and one step on. */
const structs = new Map<string, Field[]>()
const bareName = (type: string): string => type.replace(/^(struct|union) /, '').replace(/[ *[\]]+$/, '')
let names = [
  'task_struct',
  ...functions.filter(name => symbols.has(name)).flatMap(name => btf.parameters(name)!.map(bareName)),
]
for (let step = 0; step < 2; step++) {
  const found = new Set(names.filter(name => !structs.has(name)))
  names = []
  for (const name of found) {
    const fields = btf.fields(name)
    if (!fields) continue
    structs.set(name, fields)
    names.push(...fields.map(({ type }) => bareName(type)))
  }
}
const structLines = [...structs].map(
  ([name, fields]) =>
    `${name}: ${fields.map(({ name: field, type }) => (structs.has(bareName(type)) ? `${field}=${bareName(type)}` : field)).join(' ')}`,
)

const write = (file: string, comment: string, lines: string[]): void =>
  writeFileSync(join(policyFolder, 'schema', file), `${comment}\n${lines.sort().join('\n')}\n`)

write('prototypes.txt', `# Functions of ${kernel} with the types of their parameters, without const.`, prototypes)
write(
  'tracepoint-fields.txt',
  `# Tracepoints of ${kernel} with their fields, without the four that all have. prototypes.txt gives those of system calls.`,
  events,
)
write(
  'structs.txt',
  `# Structs of ${kernel} with their fields. FIELD=STRUCT leads on to a struct of this file.`,
  structLines,
)
