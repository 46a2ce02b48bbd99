import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { expandUrl, parsePlatforms, platformName, thisPlatform } from '../../../scripts/supplies/platform.ts'
import { LabError } from '../../../shared/lab-error.ts'

test('supports Linux and macOS on amd64 and arm64 only', () => {
  expect(thisPlatform('darwin', 'arm64')).toEqual({ os: 'darwin', arch: 'arm64', cpu: 'arm64' })
  expect(thisPlatform('linux', 'x64')).toEqual({ os: 'linux', arch: 'amd64', cpu: 'x64' })
  expect(() => thisPlatform('win32', 'x64')).toThrow(/does not run on win32 with x64/)
  expect(() => thisPlatform('linux', 'riscv64')).toThrow(LabError)
})

test('reads platforms separated by commas, each once', () => {
  expect(parsePlatforms('linux/amd64, darwin/arm64,linux/amd64,').map(platformName)).toEqual([
    'linux/amd64',
    'darwin/arm64',
  ])
})

test('rejects an unknown platform as wrong usage', () => {
  expect(() => parsePlatforms('linux/amd64,windows/amd64')).toThrow(
    expect.objectContaining({ found: 'The lab does not run on the platform windows/amd64', exitCode: 2 }),
  )
})

test('fills in the placeholders of a URL, and leaves others', () => {
  const values = { version: '1.2.3', os: 'linux', arch: 'amd64', cpu: 'x64' }
  const url = expandUrl('https://example.org/v{version}/{os}-{arch}-{cpu}-{else}', '/lock.yaml', values)
  expect(decodeURI(url.href)).toBe('https://example.org/v1.2.3/linux-amd64-x64-{else}')
})

test('turns a path into a file URL, relative to the lock', () => {
  expect(expandUrl('charts/a.tgz', '/folder/lock.yaml')).toEqual(pathToFileURL('/folder/charts/a.tgz'))
  expect(expandUrl('/charts/a.tgz', '/folder/lock.yaml')).toEqual(pathToFileURL('/charts/a.tgz'))
})
