import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  loadedImageKey,
  matchesLock,
  matchesLockedDigest,
  registryDigest,
} from '../../../scripts/supplies/image-digests.ts'
import { rememberDigests } from '../../../scripts/supplies/remembered-digests.ts'
import { newFolder } from '../support/folders.ts'

const digest = (digit: string): string => `sha256:${digit.repeat(64)}`
const image = { repository: 'docker.io/library/redis', tag: '7' }
const pinned = { ...image, digest: digest('a') }
const fromRegistry = (digit: string) => ({ id: digest('1'), repoDigests: [`redis@${digest(digit)}`] })
const fromFile = { id: digest('1'), repoDigests: [] }

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
})
afterEach(() => {
  vi.unstubAllEnvs()
})

test('a missing image never matches', () => {
  expect(matchesLock(image, undefined)).toBe(false)
  expect(matchesLockedDigest(image, undefined)).toBe(false)
})

test('an image from a registry must have the pinned digest', () => {
  expect(matchesLock(pinned, fromRegistry('a'))).toBe(true)
  expect(matchesLock(pinned, fromRegistry('b'))).toBe(false)
})

test('an image from a registry must have the digest of the first pull where none is pinned', async () => {
  expect(matchesLock(image, fromRegistry('b'))).toBe(true)
  await rememberDigests({ 'docker.io/library/redis:7': digest('a') })
  expect(matchesLock(image, fromRegistry('b'))).toBe(false)
  expect(matchesLock(image, fromRegistry('a'))).toBe(true)
})

test('an image from a file matches by its tag, but not where the digest is required', () => {
  expect(matchesLock(pinned, fromFile)).toBe(true)
  expect(matchesLockedDigest(pinned, fromFile)).toBe(false)
  expect(matchesLockedDigest(image, fromFile)).toBe(true)
})

test('an image from an offline bundle matches by the id that was stored for its digest', async () => {
  await rememberDigests({ [loadedImageKey(pinned, digest('a'))]: digest('1') })
  expect(matchesLockedDigest(pinned, fromFile)).toBe(true)
  expect(matchesLockedDigest(pinned, { ...fromFile, id: digest('2') })).toBe(false)
})

test('reads the digest of the registry that the lock names', () => {
  expect(registryDigest(image, fromRegistry('a'))).toBe(digest('a'))
  expect(registryDigest(image, { id: '', repoDigests: [`quay.io/redis@${digest('a')}`] })).toBeUndefined()
})
