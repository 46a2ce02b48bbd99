import { afterAll, beforeAll, expect, test } from 'vitest'
import { findOutdated } from '../../../scripts/pins/outdated.ts'
import { findPin, listPins } from '../../../scripts/pins/pins.ts'
import { retryPolicy } from '../../../scripts/supplies/retry.ts'
import { newCheckout, type Publishers, startPublishers } from './fake-publishers.ts'

let publishers: Publishers
const { minTimeout } = retryPolicy

beforeAll(async () => {
  publishers = await startPublishers()
  retryPolicy.minTimeout = 1
})
afterAll(async () => {
  retryPolicy.minTimeout = minTimeout
  await publishers.stop()
})

/** Looks up these pins. */
async function lookUp(...names: string[]) {
  const { lock } = newCheckout(publishers)
  const pins = listPins(lock)
  return findOutdated(
    names.map(name => findPin(pins, name)),
    lock,
  )
}

test('a chart: the newest version in the index, which is no pre-release', async () => {
  const { lock } = newCheckout(publishers)
  const current = lock.charts.loki.version
  await publishers.addCharts('loki', { '99.0.0-beta.1': {}, '98.1.0': {}, [current]: {} })
  expect(await lookUp('charts.loki')).toEqual([{ pin: 'charts.loki', current, newest: '98.1.0', change: 'major' }])
})

test('an image: the newest tag of its kind, from all pages of a registry that wants a token', async () => {
  for (const tag of ['7-alpine', '8-alpine', '8.0.1-alpine', '9', 'alpine', 'latest'])
    publishers.addTag('docker.io/library/redis', tag)
  publishers.asked.length = 0
  expect(await lookUp('images.redis')).toEqual([
    { pin: 'images.redis', current: '7-alpine', newest: '8-alpine', change: 'major' },
  ])
  expect(publishers.asked.filter(call => call.includes('/tags/list'))).toHaveLength(4)
  expect(publishers.asked.filter(call => call.includes('/token'))).toHaveLength(1)
})

test('a program: the release to which GitHub redirects', async () => {
  publishers.addRelease('kubernetes-sigs/kind', 'v0.99.0', {})
  expect(await lookUp('kind')).toMatchObject([{ pin: 'tools.kind', newest: '0.99.0', change: 'minor' }])
})

test('Node: the newest version with long-term support', async () => {
  const releases = [
    { version: 'v99.1.0', lts: false },
    { version: 'v98.2.0', lts: 'Krypton' },
  ]
  publishers.texts.set('/dist/index.json', JSON.stringify(releases))
  expect(await lookUp('tools.node')).toMatchObject([{ newest: '98.2.0', change: 'major' }])
})

test('asks nobody about a pin that follows another or stays', async () => {
  publishers.asked.length = 0
  expect(await lookUp('kubectl', 'nodeImage', 'tetra', 'guestbook-frontend')).toMatchObject([
    { follows: 'tools.kind' },
    { follows: 'tools.kind' },
    { follows: 'charts.tetragon' },
    { held: expect.stringContaining('source documents') },
  ])
  expect(publishers.asked).toEqual([])
})

test('a publisher that does not have the pin is a problem of that pin only', async () => {
  const [image, chart] = await lookUp('images.k6', 'charts.loki')
  expect(image).toEqual({
    pin: 'images.k6',
    current: expect.any(String),
    problem: `${publishers.host} answered 404 for the tags of ${publishers.host}/docker.io/grafana/k6 (/v2/docker.io/grafana/k6/tags/list)`,
  })
  expect(chart).toMatchObject({ newest: '98.1.0' })
})

test('a registry that fails for a moment is asked again', async () => {
  publishers.texts.set('/flaky', 503)
  const { lock } = newCheckout(publishers)
  const chart = { ...lock.charts.loki, index: `${publishers.base}/flaky` }
  const flaky = { ...lock, charts: { ...lock.charts, loki: chart } }
  publishers.asked.length = 0
  const [age] = await findOutdated([findPin(listPins(flaky), 'charts.loki')], flaky)
  expect(age?.problem).toContain('answered 503')
  expect(publishers.asked.length).toBeGreaterThan(1)
})
