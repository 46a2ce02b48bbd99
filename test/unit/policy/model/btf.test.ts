import { describe, expect, test } from 'vitest'
import { Btf } from '../../../../scripts/policy/model/btf.ts'

const kinds = { int: 1, pointer: 2, array: 3, struct: 4, typedef: 8, const: 10, function: 12, prototype: 13 }

interface Type {
  kind: keyof typeof kinds
  name?: string
  /** The index of the type that it refers to. */
  target?: number
  members?: [name: string, type: number][]
}

/** Returns types as the kernel stores them. The first has the index 1. */
function encode(types: Type[]): Buffer {
  let strings = '\0'
  const offsetOf = (text = ''): number => {
    if (text === '') return 0
    strings += `${text}\0`
    return strings.length - text.length - 1
  }
  const words: number[] = []
  for (const { kind, name, target = 0, members = [] } of types) {
    words.push(offsetOf(name), (kinds[kind] << 24) | members.length, kind === 'array' ? 0 : target)
    if (kind === 'int') words.push(0)
    if (kind === 'array') words.push(target, 0, 16)
    for (const [member, type] of members) words.push(offsetOf(member), type, ...(kind === 'struct' ? [0] : []))
  }
  const bytes = Buffer.alloc(24 + words.length * 4)
  bytes.writeUInt16LE(0xeb9f, 0)
  bytes.writeUInt32LE(24, 4)
  bytes.writeUInt32LE(words.length * 4, 12)
  bytes.writeUInt32LE(words.length * 4, 16)
  for (const [index, word] of words.entries()) bytes.writeUInt32LE(word >>> 0, 24 + index * 4)
  return Buffer.concat([bytes, Buffer.from(strings, 'latin1')])
}

describe('Btf', () => {
  const btf = new Btf(
    encode([
      { kind: 'int', name: 'int' },
      {
        kind: 'struct',
        name: 'task',
        members: [
          ['pid', 1],
          ['parent', 3],
          ['comm', 6],
          ['', 7],
        ],
      },
      { kind: 'pointer', target: 2 },
      { kind: 'int', name: 'char' },
      { kind: 'const', target: 4 },
      { kind: 'array', target: 4 },
      { kind: 'struct', members: [['inner', 1]] },
      { kind: 'pointer', target: 5 },
      {
        kind: 'prototype',
        target: 1,
        members: [
          ['task', 3],
          ['name', 8],
        ],
      },
      { kind: 'function', name: 'rename_task', target: 9 },
      { kind: 'typedef', name: 'kuid_t', target: 12 },
      { kind: 'struct', members: [['val', 1]] },
    ]),
  )

  test('has the parameters of functions, without const', () => {
    expect(btf.parameters('rename_task')).toEqual(['struct task *', 'char *'])
    expect(btf.parameters('no_such_function')).toBeUndefined()
  })

  test('has the fields of structs, with those of unnamed structs in them', () => {
    expect(btf.fields('task')).toEqual([
      { name: 'pid', type: 'int' },
      { name: 'parent', type: 'struct task *' },
      { name: 'comm', type: 'char[]' },
      { name: 'inner', type: 'int' },
    ])
  })

  test('follows a typedef of an unnamed struct', () => {
    expect(btf.fields('kuid_t')).toEqual([{ name: 'val', type: 'int' }])
    expect(btf.fields('no_such_struct')).toBeUndefined()
  })
})
