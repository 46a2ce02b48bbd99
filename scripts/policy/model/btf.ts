import { readFileSync } from 'node:fs'

// Reads BTF, the kernel's type information, as in /sys/kernel/btf/vmlinux: functions with their parameters, and structs
// with their fields. The format is described in https://docs.kernel.org/bpf/btf.html.

const kinds = {
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  function: 12,
  prototype: 13,
  typeTag: 18,
  enum64: 19,
} as const

const modifiers = new Set<number>([kinds.volatile, kinds.const, kinds.restrict, kinds.typeTag])

/** The bytes that follow a type, by kind: a fixed number, or a number for each of its members. */
const tailBytes: Record<number, number> = { 1: 4, 3: 12, 14: 4, 17: 4 }
const memberBytes: Record<number, number> = { 4: 12, 5: 12, 6: 8, 13: 8, 15: 12, 19: 12 }

interface BtfType {
  kind: number
  name: string
  /** The type that a pointer, typedef, modifier, array or function refers to. */
  target: number
  members: { name: string; type: number }[]
}

export interface BtfField {
  name: string
  /** As in C, without const and volatile: `struct file *`. */
  type: string
}

export class Btf {
  #types: BtfType[] = [{ kind: 0, name: 'void', target: 0, members: [] }]
  #functions = new Map<string, BtfType>()
  #structs = new Map<string, BtfType>()

  constructor(bytes: Buffer) {
    const headerLength = bytes.readUInt32LE(4)
    const strings = headerLength + bytes.readUInt32LE(16)
    const readText = (offset: number): string =>
      bytes.toString('latin1', strings + offset, bytes.indexOf(0, strings + offset))
    let at = headerLength + bytes.readUInt32LE(8)
    const end = at + bytes.readUInt32LE(12)
    while (at < end) {
      const info = bytes.readUInt32LE(at + 4)
      const kind = (info >> 24) & 0x1f
      const count = info & 0xffff
      const type: BtfType = {
        kind,
        name: readText(bytes.readUInt32LE(at)),
        target: bytes.readUInt32LE(kind === kinds.array ? at + 12 : at + 8),
        members: [],
      }
      at += 12
      if (kind === kinds.struct || kind === kinds.union || kind === kinds.prototype)
        for (let index = 0; index < count; index++) {
          const member = at + index * memberBytes[kind]!
          type.members.push({ name: readText(bytes.readUInt32LE(member)), type: bytes.readUInt32LE(member + 4) })
        }
      at += (tailBytes[kind] ?? 0) + (memberBytes[kind] ?? 0) * count
      this.#types.push(type)
      if (kind === kinds.function && !this.#functions.has(type.name)) this.#functions.set(type.name, type)
      if (type.name !== '') this.#addStruct(type)
    }
  }

  /** Reads a file such as /sys/kernel/btf/vmlinux. */
  static read = (file: string): Btf => new Btf(readFileSync(file))

  functionNames = (): string[] => [...this.#functions.keys()]

  /** Returns the types of a function's parameters; undefined when there is no such function. */
  parameters(name: string): string[] | undefined {
    const found = this.#functions.get(name)
    return found && this.#types[found.target]!.members.map(({ type }) => this.#describe(type))
  }

  /**
   * Returns the fields of a struct, a union, or a typedef of one. The fields of unnamed structs in it count as its own.
   */
  fields(name: string): BtfField[] | undefined {
    const found = this.#structs.get(name)
    if (!found) return undefined
    return this.#fieldsOf(found.kind === kinds.typedef ? this.#resolve(found.target) : found)
  }

  #addStruct(type: BtfType): void {
    if (type.kind !== kinds.struct && type.kind !== kinds.union && type.kind !== kinds.typedef) return
    // A struct is preferred to a typedef of the same name.
    if (type.kind !== kinds.typedef || !this.#structs.has(type.name)) this.#structs.set(type.name, type)
  }

  #fieldsOf(type: BtfType): BtfField[] | undefined {
    if (type.kind !== kinds.struct && type.kind !== kinds.union) return undefined
    return type.members.flatMap(member =>
      member.name === ''
        ? (this.#fieldsOf(this.#resolve(member.type)) ?? [])
        : [{ name: member.name, type: this.#describe(member.type) }],
    )
  }

  /** Follows modifiers such as const. */
  #strip(id: number): BtfType {
    let type = this.#types[id]!
    while (modifiers.has(type.kind)) type = this.#types[type.target]!
    return type
  }

  /** Follows modifiers and typedefs. */
  #resolve(id: number): BtfType {
    let type = this.#strip(id)
    while (type.kind === kinds.typedef) type = this.#strip(type.target)
    return type
  }

  #describe(id: number): string {
    const type = this.#strip(id)
    switch (type.kind) {
      case kinds.pointer: {
        const target = this.#describe(type.target)
        return target.endsWith('*') ? `${target}*` : `${target} *`
      }
      case kinds.array:
        return `${this.#describe(type.target)}[]`
      case kinds.struct:
        return `struct ${type.name || '(unnamed)'}`
      case kinds.union:
        return `union ${type.name || '(unnamed)'}`
      case kinds.enum:
      case kinds.enum64:
        return type.name === '' ? 'int' : `enum ${type.name}`
      case kinds.prototype:
        return '(function)'
      default:
        return type.name || 'void'
    }
  }
}
