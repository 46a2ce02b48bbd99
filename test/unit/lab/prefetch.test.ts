import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { prefetch } from '../../../scripts/lab/prefetch.ts'
import { requiredCharts } from '../../../scripts/supplies/charts.ts'
import { imagesOf } from '../../../shared/lab-images.ts'
import { imageRef, type Lock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import { newFolder } from '../support/folders.ts'
import { chartArchive, errorOf, lockWith, type Publisher, sha256, startPublisher } from '../support/publisher.ts'

let docker: FakeDocker
let publisher: Publisher
let lock: Lock
const settings = parseSettings({ tetragon: { source: 'replay' } })
const charts = requiredCharts(settings)

beforeEach(async () => {
  vi.stubEnv('LAB_DIR', newFolder())
  docker = fakeDocker()
  publisher = await startPublisher()
  const archives = await Promise.all(charts.map(async name => [name, await chartArchive(name, '1.0.0')] as const))
  for (const [name, bytes] of archives) publisher.files.set(`/${name}.tgz`, bytes)
  lock = lockWith({
    charts: Object.fromEntries(
      archives.map(([name, bytes]) => [
        name,
        { version: '1.0.0', url: publisher.url(`/${name}.tgz`), sha256: sha256(bytes) },
      ]),
    ),
  })
  for (const image of [lock.nodeImage, ...Object.values(lock.images)])
    docker.put('registry', `${imageRef(image)} ${image.repository}@${image.digest ?? `sha256:${'1'.repeat(64)}`}`)
})
afterEach(async () => {
  docker.restore()
  vi.unstubAllEnvs()
  await publisher.stop()
})

const run = (chosen = settings) => prefetch({ silent: true, load: async () => ({ settings: chosen, lock, env: {} }) })

test('downloads the charts and the images of these settings, with the node image, once', async () => {
  const images = [lock.nodeImage, ...imagesOf({ settings, source: 'replay' }).map(name => lock.images[name])]
  const first = await run()
  expect(first).toEqual({
    charts: charts.map(name => `${name} 1.0.0`),
    images: images.map(imageRef),
    downloaded: charts.length + images.length,
  })
  const onHost = docker.read('host').join('\n')
  for (const ref of first.images) expect(onHost).toContain(ref)
  // A replay runs no agent.
  expect(first.images).not.toContain(imageRef(lock.images.tetragon))
  expect((await run()).downloaded).toBe(0)
})

test('pulls no image for an existing cluster, whose nodes pull them themselves', async () => {
  const { images } = await run(parseSettings({ cluster: { mode: 'existing', context: 'school' } }))
  expect(images).toEqual([])
  expect(docker.calls()).toEqual([])
})

test('refuses images that are not published for the engine, before it pulls any', async () => {
  const upstream = parseSettings({ tetragon: { source: 'replay' }, guestbook: { images: 'upstream' } })
  const frontend = { ...lock.images['guestbook-frontend'], platforms: ['linux/arm64' as const] }
  lock.images['guestbook-frontend'] = frontend
  expect(await errorOf(run(upstream))).toMatchObject({
    found: `The image ${imageRef(frontend)} is not published for linux/amd64`,
    next: './lab pulumi config set --path tetragon-lab:guestbook.images lab',
  })
  expect(docker.calls().filter(call => call.startsWith('pull'))).toEqual([])
})

test('fails with the download that failed, and keeps the others', async () => {
  publisher.files.set('/loki.tgz', 404)
  expect((await errorOf(run())).found).toContain('404 for chart loki 1.0.0')
  publisher.files.set('/loki.tgz', await chartArchive('loki', '1.0.0'))
  expect((await run()).charts).toHaveLength(charts.length)
})
