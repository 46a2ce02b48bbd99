import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ruleInfos } from '../../../scripts/policy/lint/lint.ts'
import { ruleSources } from '../../../scripts/policy/lint/rule-sources.ts'
import { compareYaml, explainRule, formatExplanation } from '../../../scripts/policy/rule-explanation.ts'
import { projectDir } from '../../../shared/paths.ts'

describe('every rule', () => {
  test('has a source, and every source a rule', () => {
    expect(Object.keys(ruleSources).sort()).toEqual(ruleInfos.map(({ id }) => id).sort())
  })

  test.each(ruleInfos)('$id has a source that exists or is an address, and an example', ({ id }) => {
    const { source, bad, good, finding } = explainRule(id)
    expect(/^https:\/\/[^ ]+$/.test(source) || existsSync(join(projectDir, source))).toBe(true)
    expect(finding.message.length).toBeGreaterThan(3)
    const lines = compareYaml(bad, good)
    expect(lines.some(({ mark }) => mark !== ' ')).toBe(true)
    expect(lines.length).toBeLessThan(45)
  })
})

test('an explanation has the reason, the source, and both examples', () => {
  expect(formatExplanation(explainRule('syscall-flag'))).toMatch(
    /^syscall-flag \(error\)\n.+\nSource: https:\/\/github\.com\/cilium\/tetragon\/blob\/v[\d.]+\/pkg\/btf\/validation\.go#L104\n\nBad:\n.*syscall defaults to true\. Add syscall: false\n\nGood:\n.*> +syscall: false\n/s,
  )
})

test('an unknown rule is an error with the nearest name', () => {
  expect(() => explainRule('syscal-flag')).toThrow(
    expect.objectContaining({
      found: 'There is no rule syscal-flag',
      next: './lab policy lint --explain syscall-flag',
      exitCode: 2,
    }),
  )
})

describe('compareYaml', () => {
  const compare = (before: string, after: string): string[] =>
    compareYaml(before, after).map(({ mark, text }) => mark + text)

  test('keeps the changed lines, their neighbors, and the keys that they are under', () => {
    const before = 'kind: X\nspec:\n  a: 1\n  hooks:\n    - call: f\n      args: []\n      tags: [a]\n      more: x\n'
    expect(compare(before, before.replace('[a]', '[b]'))).toEqual([
      ' spec:',
      '   hooks:',
      '     - call: f',
      '       args: []',
      '-      tags: [a]',
      '+      tags: [b]',
      '       more: x',
    ])
  })

  test('says nothing about equal texts', () => {
    expect(compare('a: 1\n', 'a: 1\n')).toEqual([])
  })

  test('handles texts without a common line', () => {
    expect(compare('a: 1\n', 'b: 2\n')).toEqual(['-a: 1', '+b: 2'])
  })

  test('cuts long lines', () => {
    const [line] = compareYaml(`a: ${'x'.repeat(500)}\n`, '', 20)
    expect(line!.text).toBe(`a: ${'x'.repeat(16)}…`)
  })
})
