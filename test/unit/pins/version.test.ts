import { expect, test } from 'vitest'
import { changeBetween, compareVersions, likeVariant, newestVersion } from '../../../scripts/pins/version.ts'

test.each([
  ['18.11.0', ['18.9.0', '18.13.0', '19.0.0-rc.1', '18.12.0'], '18.13.0'],
  ['v3.14.0-distroless', ['v3.15.0', 'v3.14.1-distroless', 'v3.14.1-rc.0-distroless'], 'v3.14.1-distroless'],
  ['7-alpine', ['8-alpine', '8.2.1-alpine', '8', '10-alpine3.24'], '8-alpine'],
  ['v0.8', ['v0.10', 'v0.9', 'v1'], 'v0.10'],
  ['24.21.0', ['v26.0.0', 'latest', ''], '24.21.0'],
  ['stand-in', ['1.0.0'], 'stand-in'],
])('from %s, %j leads to %s', (current, versions, newest) => expect(newestVersion(current, versions)).toBe(newest))

test.each([
  ['1.2.3', '2.0.0', 'major'],
  ['v1.2.3', 'v1.3.0', 'minor'],
  ['1.2.3-distroless', '1.2.4-distroless', 'patch'],
  ['7-alpine', '8-alpine', 'major'],
  ['1.2.3', '1.2.3', undefined],
])('%s to %s is %s', (current, next, change) => expect(changeBetween(current, next)).toBe(change))

test('compares by numbers, not by text', () => {
  expect(compareVersions('1.10.0', '1.9.9')).toBeGreaterThan(0)
  expect(compareVersions('1.9.9', '1.10.0')).toBeLessThan(0)
  expect(compareVersions('1.9.9', '1.9.9')).toBe(0)
})

test('writes a version as another variant does', () => {
  expect(likeVariant('1.13.0', 'v1.12.1-distroless')).toBe('v1.13.0-distroless')
  expect(likeVariant('v1.8.0', '1.7.0')).toBe('1.8.0')
})
