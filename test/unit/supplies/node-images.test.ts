import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadImagesIntoNode } from '../../../scripts/supplies/node-images.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import { errorOf } from '../support/publisher.ts'

let docker: FakeDocker
const node = 'lab-control-plane'
const loki = 'docker.io/grafana/loki:3.7.6'
const redis = 'docker.io/library/redis:7-alpine'
const prometheus = 'quay.io/prometheus/prometheus:v3.14.0-distroless'

beforeEach(() => {
  docker = fakeDocker()
})
afterEach(() => {
  docker.restore()
})

const saves = (): string[] => docker.calls().filter(call => call.startsWith('save'))

test('copies only images that the node does not have', async () => {
  docker.put('node', redis)
  const steps: string[] = []
  const onProgress = ({ ref, step }: { ref: string; step: string }) => steps.push(`${step} ${ref}`)
  await loadImagesIntoNode(node, [loki, redis, prometheus], { onProgress })
  expect(saves()).toEqual([`save ${loki} ${prometheus}`])
  expect(docker.calls().find(call => call.includes('import'))).toContain('--platform linux/amd64')
  expect(docker.read('node')).toEqual([redis, loki, prometheus])
  expect(steps).toEqual([
    `loading ${loki}`,
    `present ${redis}`,
    `loading ${prometheus}`,
    `loaded ${loki}`,
    `loaded ${prometheus}`,
  ])
  await loadImagesIntoNode(node, [loki, redis, prometheus])
  expect(saves()).toHaveLength(1)
})

test('packs images while the node starts, and splits many images into two streams', async () => {
  docker.put('booting', '2')
  await loadImagesIntoNode(node, [loki, redis, prometheus, 'a/b:1', 'c/d:2'])
  expect(saves().sort()).toEqual(['save a/b:1 c/d:2', `save ${loki} ${redis} ${prometheus}`])
  const calls = docker.calls()
  const lastTry = calls.findLastIndex(call => call.endsWith('ctr version'))
  expect(calls.findIndex(call => call.startsWith('save'))).toBeLessThan(lastTry)
  expect(docker.read('node').sort()).toEqual(['a/b:1', 'c/d:2', loki, redis, prometheus].sort())
})

test('fails when containerd in the node does not respond in time', async () => {
  docker.put('booting', '99')
  const error = await errorOf(loadImagesIntoNode(node, [loki], { waitSeconds: 0 }))
  expect(error.found).toMatch(/^containerd in the node lab-control-plane did not respond within 0 s/)
})
