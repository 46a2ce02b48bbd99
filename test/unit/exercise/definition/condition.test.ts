import { describe, expect, it } from 'vitest'
import { meets } from '../../../../scripts/exercise/definition/condition.ts'

describe('a condition', () => {
  it.each([
    ['>= 3', 3, true],
    ['>= 3', 2.9, false],
    ['> 0', '', false],
    ['!= 0', '', false],
    ['!= 0', '4', true],
    ['< 5', 'abc', false],
    [3, '3', true],
    ['3', '3.0', true],
    ['visitor', 'visitor\n', true],
    ['visitor', 'visitor-1', false],
    ['/^visitor-/', 'visitor-1', true],
    ['/KILL/i', 'Sigkill', true],
    ['', '', true],
  ])('%s on the value %s is %s', (condition, value, right) => {
    expect(meets(condition, value)).toBe(right)
  })
})
