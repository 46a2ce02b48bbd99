import { afterEach, expect, it, vi } from 'vitest'
import { colors, hasColors } from '../../../scripts/terminal/colors.ts'

afterEach(() => vi.unstubAllEnvs())

it('prints colors with FORCE_COLOR=1', () => {
  vi.stubEnv('NO_COLOR', undefined)
  vi.stubEnv('FORCE_COLOR', '1')
  expect(colors.red('x')).toBe('\u001b[31mx\u001b[39m')
  expect(hasColors()).toBe(true)
})

it.each([
  ['FORCE_COLOR', '0'],
  ['NO_COLOR', '1'],
])('prints no colors with %s=%s', (name, value) => {
  vi.stubEnv('NO_COLOR', undefined)
  vi.stubEnv(name, value)
  expect(colors.red('x')).toBe('x')
  expect(hasColors()).toBe(false)
})
