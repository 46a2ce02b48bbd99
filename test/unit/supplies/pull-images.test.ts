import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { findDockerImages } from '../../../scripts/supplies/docker-images.ts'
import { type ImageProgress, pullImages } from '../../../scripts/supplies/pull-images.ts'
import { rememberDigests, rememberedDigest } from '../../../scripts/supplies/remembered-digests.ts'
import { retryPolicy } from '../../../scripts/supplies/retry.ts'
import type { ImageName, LockedImage } from '../../../shared/lock.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import { newFolder } from '../support/folders.ts'
import { errorOf, lockWith } from '../support/publisher.ts'

let docker: FakeDocker
const digest = (digit: string): string => `sha256:${digit.repeat(64)}`
const loki = 'docker.io/grafana/loki:3.7.6'
const redis = 'docker.io/library/redis:7-alpine'
const prometheus = 'quay.io/prometheus/prometheus:v3.14.0-distroless'
const pinnedLoki = { repository: 'docker.io/grafana/loki', tag: '3.7.6', digest: digest('c') }

beforeEach(() => {
  vi.stubEnv('LAB_DIR', newFolder())
  retryPolicy.minTimeout = 1
  docker = fakeDocker()
})
afterEach(() => {
  vi.unstubAllEnvs()
  docker.restore()
})

const images = (...names: ImageName[]): LockedImage[] => names.map(name => lockWith({}).images[name])
const pulls = (): string[] => docker.calls().filter(call => call.startsWith('pull'))

test('does not pull images that the Docker host has, and reports them', async () => {
  docker.put('host', `${loki} -`, `${redis} docker.io/library/redis@${digest('a')}`)
  const steps: ImageProgress[] = []
  await pullImages(images('loki', 'redis'), step => steps.push(step))
  expect(steps).toEqual([
    { ref: loki, step: 'present' },
    { ref: redis, step: 'present' },
  ])
  expect(docker.calls()).toHaveLength(1)
})

test('pulls an image without a pinned digest by tag, and stores its digest', async () => {
  docker.put('registry', `${redis} docker.io/library/redis@${digest('a')}`)
  const steps: ImageProgress[] = []
  await pullImages(images('redis'), step => steps.push(step))
  expect(pulls()).toEqual([`pull ${redis}`])
  expect(rememberedDigest(redis)).toBe(digest('a'))
  expect(steps.map(({ step }) => step)).toEqual(['pulling', 'pulling', 'pulling', 'pulling', 'pulled'])
  expect(steps.at(-2)!.layers).toEqual({ done: 2, of: 2 })
})

test('pulls by a pinned or stored digest, and sets the tag', async () => {
  docker.put(
    'registry',
    `${redis} docker.io/library/redis@${digest('b')}`,
    `${loki} docker.io/grafana/loki@${digest('c')}`,
  )
  await rememberDigests({ [redis]: digest('b') })
  await pullImages([...images('redis'), pinnedLoki])
  expect(pulls().sort()).toEqual([
    `pull docker.io/grafana/loki@${digest('c')}`,
    `pull docker.io/library/redis@${digest('b')}`,
  ])
  expect(docker.read('host')).toContain(`${redis} docker.io/library/redis@${digest('b')}`)
  expect(docker.read('host')).toContain(`${loki} docker.io/grafana/loki@${digest('c')}`)
})

test('replaces an image whose digest is not the pinned one', async () => {
  docker.put('host', `${loki} docker.io/grafana/loki@${digest('d')}`)
  docker.put('registry', `${loki} docker.io/grafana/loki@${digest('c')}`)
  await pullImages([pinnedLoki])
  expect(pulls()).toEqual([`pull docker.io/grafana/loki@${digest('c')}`])
})

test('retries after a network error', async () => {
  docker.put('registry', `${prometheus} quay.io/prometheus/prometheus@${digest('a')}`)
  docker.put('faults', '2')
  await pullImages(images('prometheus'))
  expect(pulls()).toHaveLength(3)
  expect(docker.read('host')).toHaveLength(1)
})

test('does not retry an image that the registry does not have', async () => {
  const error = await errorOf(pullImages(images('prometheus')))
  expect(error.found).toMatch(/^The registry quay\.io refused quay\.io\/prometheus\/prometheus:v3\.14\.0-distroless/)
  expect(pulls()).toHaveLength(1)
})

test('gives up after the last retry when the network stays down', async () => {
  docker.put('faults', '99')
  const error = await errorOf(pullImages(images('prometheus')))
  expect(error.found).toMatch(/^Cannot reach quay\.io to pull .*i\/o timeout/)
  expect(pulls()).toHaveLength(1 + retryPolicy.retries)
})

test('starts no further pull after a failure', async () => {
  await errorOf(pullImages(images('prometheus', 'loki', 'redis', 'k6', 'node', 'grafana')))
  expect(pulls().length).toBeLessThanOrEqual(3)
})

test('pulls the only platform that an image is published for', async () => {
  const frontend = 'example.org/frontend:v5'
  docker.put('registry', `${frontend} example.org/frontend@${digest('a')}`)
  await pullImages([{ repository: 'example.org/frontend', tag: 'v5', platforms: ['linux/arm64'] }])
  expect(pulls()).toEqual([`pull --platform linux/arm64 ${frontend}`])
})

test('finds images on the Docker host by their full and their familiar names', async () => {
  docker.put('host', `${redis} docker.io/library/redis@${digest('a')} ${digest('1')}`, `${prometheus} - ${digest('2')}`)
  expect(await findDockerImages([redis, loki, prometheus])).toEqual(
    new Map([
      [redis, { id: digest('1'), repoDigests: [`redis@${digest('a')}`] }],
      [prometheus, { id: digest('2'), repoDigests: [] }],
    ]),
  )
})
