import { describe, expect, test } from 'vitest'
import { integerKind, integerProblem, parsePrefixedInteger } from '../../../../scripts/policy/model/go-number.ts'

describe('parsePrefixedInteger', () => {
  test.each<[text: string, value: bigint | undefined]>([
    ['10', 10n],
    ['-10', -10n],
    ['+10', 10n],
    ['0x1F', 31n],
    ['0b10', 2n],
    ['0o17', 15n],
    ['017', 15n],
    ['0', 0n],
    ['1_000_000', 1000000n],
    ['0x_ff', 255n],
    ['0_7', 7n],
    ['08', undefined],
    ['1__0', undefined],
    ['_1', undefined],
    ['1_', undefined],
    ['0x', undefined],
    ['1.5', undefined],
    ['', undefined],
  ])('reads "%s" as %s', (text, value) => {
    expect(parsePrefixedInteger(text)).toBe(value)
  })
})

describe('the agent', () => {
  test.each<[type: string, value: string, problem: RegExp | undefined]>([
    ['int', '2147483647', undefined],
    ['int', '2147483648', /not between .* \(write -2147483648 for it\)/],
    ['int', '4294967295', /write -1 for it/],
    ['size_t', '2147483648', /not between/],
    ['int8', '300', undefined],
    ['uint32', '4294967295', undefined],
    ['uint32', '4294967296', /not between 0 and 4294967295/],
    ['uint32', '-1', /negative/],
    ['uint32', '+1', /sign/],
    ['int64', '-9223372036854775808', undefined],
    ['uint64', '18446744073709551615', undefined],
    ['uint64', '18446744073709551616', /not between/],
    ['int', '08', /octal/],
    ['int', 'ten', /not a number/],
  ])('reads a value of type %s: %s', (type, value, problem) => {
    const found = integerProblem(value, integerKind(type)!)
    if (problem) expect(found).toMatch(problem)
    else expect(found).toBeUndefined()
  })

  test('has no number for a path', () => {
    expect(integerKind('file')).toBeUndefined()
    expect(integerKind('constructor')).toBeUndefined()
  })
})
