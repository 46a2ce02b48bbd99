import { describe, expect, test } from 'vitest'
import { brokenRules, readTestPolicy } from '../../../support/policies.ts'

describe('action-order and override-and-kill', () => {
  test.each<[string, string[]]>([
    ['[{ action: Override, argError: -13 }, { action: Post }]', ['action-order']],
    ['[{ action: Post }, { action: Override, argError: -13 }]', []],
    ['[{ action: Sigkill }, { action: Override, argError: -13 }]', ['override-and-kill', 'action-order']],
    ['[{ action: Override, argError: -13 }, { action: Sigkill }]', ['override-and-kill']],
  ])('the actions %s break %j', (actions, found) => {
    const text = readTestPolicy('rules/override-and-kill/good.yaml').replace(
      /matchActions:\n.*/,
      `matchActions: ${actions}`,
    )
    expect(brokenRules(text)).toEqual(found)
  })
})
