import { expect, test } from 'vitest'
import { familiarName, imagePlatform } from '../../../scripts/supplies/docker-images.ts'

test.each([
  ['docker.io/grafana/loki:3.7.6', 'grafana/loki:3.7.6'],
  ['docker.io/library/redis:7-alpine', 'redis:7-alpine'],
  ['quay.io/prometheus/prometheus:v3', 'quay.io/prometheus/prometheus:v3'],
])('Docker prints %s as %s', (ref, name) => expect(familiarName(ref)).toBe(name))

test('pulls another platform only where the image is not published for the engine', () => {
  const image = { repository: 'example.org/a', tag: '1' }
  expect(imagePlatform(image, 'linux/amd64')).toBe('linux/amd64')
  expect(imagePlatform({ ...image, platforms: ['linux/arm64'] }, 'linux/amd64')).toBe('linux/arm64')
})
