import { describe, expect, test } from 'vitest'
import type { ArgumentFilter } from '../../../../scripts/policy/model/policy-model.ts'
import { passesArgumentFilter } from '../../../../scripts/policy/model/value-match.ts'

const filter = (operator: string, values: string[], type?: string): ArgumentFilter => ({
  path: [],
  list: 'matchArgs',
  operator,
  values,
  spec: {},
  argument: { path: [], spec: {}, index: 0, type },
})

describe('a value', () => {
  test.each<[operator: string, values: string[], type: string | undefined, value: string, passes: boolean | undefined]>(
    [
      ['Equal', ['/etc/shadow'], 'file', '/etc/shadow', true],
      ['Equal', ['/etc'], 'file', '/etc/shadow', false],
      ['NotEqual', ['/etc/passwd'], 'file', '/etc/shadow', true],
      ['Prefix', ['/etc/'], 'path', '/etc/shadow', true],
      ['NotPrefix', ['/etc/'], 'path', '/etc/shadow', false],
      ['Postfix', ['dow', 'token'], 'string', '/etc/shadow', true],
      ['SubStringIgnCase', ['SHADOW'], 'string', '/etc/shadow', true],
      ['Equal', ['/etc/shadow'], undefined, '/etc/shadow', true],
      ['DAddr', ['10.0.0.0/8'], 'sock', '10.1.2.3:443', true],
      ['DAddr', ['10.0.0.0/8'], 'sock', '[fd00::1]:443', false],
      ['NotDAddr', ['fd00::/8'], 'sock', '[fd00::1]:443', false],
      ['DPort', ['80', '8000:8999'], 'sock', '10.1.2.3:8080', true],
      ['NotDPort', ['443'], 'sockaddr', '10.1.2.3:443', false],
      // The value does not tell these.
      ['Family', ['AF_INET'], 'sock', '10.1.2.3:443', undefined],
      ['Mask', ['2'], 'int', '2', undefined],
      ['Equal', ['2'], 'int', '2', undefined],
    ],
  )('%s %j on a %s lets %s pass: %j', (operator, values, type, value, passes) => {
    expect(passesArgumentFilter(filter(operator, values, type), value)).toBe(passes)
  })
})
