import { describe, expect, test } from 'vitest'
import { lintPolicy } from '../../../../scripts/policy/lint/lint.ts'
import { readTestPolicy } from '../../support/policies.ts'

describe('a policy-mode that is set twice', () => {
  test('is an error, and the last one counts, as in the agent', () => {
    const twice = (first: string, last: string): string[] =>
      lintPolicy(
        readTestPolicy('rules/unscoped-enforcement/bad.yaml')
          .replace('security_file_open', 'security_sb_umount')
          .replace(/ +args:\n.*\n/, '')
          .replace(/matchArgs:\n.*\n +(?=matchActions)/, '')
          .replace(
            'spec:\n',
            `spec:\n  options: [{ name: policy-mode, value: ${first} }, { name: policy-mode, value: ${last} }]\n`,
          ),
        'x',
      ).map(({ rule, level }) => `${rule} ${level}`)
    expect(twice('monitor', 'enforce')).toEqual(['option-twice error', 'unscoped-enforcement error'])
    expect(twice('enforce', 'monitor')).toEqual(['option-twice error', 'unscoped-enforcement warn'])
  })
})
