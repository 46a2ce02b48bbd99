import { describe, expect, test } from 'vitest'
import { plainValue } from '../../../../shared/validation/kubernetes-yaml.ts'
import { readSource } from '../../../../shared/validation/yaml-source.ts'

const read = (text: string): unknown => readSource(text, 'kubernetes')[0]?.value

describe('a plain value is read as Go reads it', () => {
  test.each<[source: string, value: unknown]>([
    ['no', false],
    ['Off', false],
    ['y', true],
    ['YES', true],
    ['nO', 'nO'],
    ['~', null],
    ['12', 12],
    ['+12', 12],
    ['-0x1F', -31],
    ['0b101', 5],
    ['010', 8],
    ['0o10', 8],
    ['08', 8],
    ['1_000', 1000],
    ['1.50', 1.5],
    ['.5', 0.5],
    ['1e3', 1000],
    // YAML 1.1 has numbers to the base of 60 and dates. Go reads both as text.
    ['1:30', '1:30'],
    ['2026-11-21', '2026-11-21'],
    ['127.0.0.1', '127.0.0.1'],
    ['/etc', '/etc'],
  ])('%s is %j', (source, value) => {
    expect(plainValue(source)).toEqual(value)
    expect(read(`a: ${source}`)).toEqual({ a: value })
  })

  test('quotes and block scalars make text of any value', () => {
    expect(read(`a: "no"\nb: 'yes'\nc: |-\n  12\nd: !!str 12\n`)).toEqual({ a: 'no', b: 'yes', c: '12', d: '12' })
  })

  test('an empty value is null', () => {
    expect(read('a:\nb: []\n')).toEqual({ a: null, b: [] })
  })
})

describe('a merge key', () => {
  const text = 'base: &base\n  x: 1\n  z: 2\nother:\n  <<: *base\n  z: no\n'

  test('adds the keys of another mapping, which its own keys replace', () => {
    expect(read(text)).toEqual({ base: { x: 1, z: 2 }, other: { x: 1, z: false } })
  })

  test('does not count outside of the dialect', () => {
    expect(readSource(text)[0]?.value).toMatchObject({ other: { '<<': { x: 1, z: 2 }, z: 'no' } })
  })

  test('leaves a value at the line of the mapping that has it', () => {
    const { line } = readSource(text, 'kubernetes')[0]!
    expect([line(['other', 'z']), line(['other', 'x'])]).toEqual([6, 4])
    expect(readSource('a: &a { b: 1 }\nc: *a\n', 'kubernetes')[0]!.line(['c', 'b'])).toBe(1)
  })
})
