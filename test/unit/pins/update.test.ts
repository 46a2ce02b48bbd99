import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { findPin, listPins } from '../../../scripts/pins/pins.ts'
import { updatePin } from '../../../scripts/pins/update.ts'
import { retryPolicy } from '../../../scripts/supplies/retry.ts'
import { type Lock, readLock } from '../../../shared/lock.ts'
import { newFolder } from '../support/folders.ts'
import { errorOf, sha256 } from '../support/publisher.ts'
import { checksumsOf, digestOfTag, newCheckout, type Publishers, startPublishers } from './fake-publishers.ts'

let publishers: Publishers
let checkout: ReturnType<typeof newCheckout>
const { minTimeout } = retryPolicy

beforeAll(async () => {
  publishers = await startPublishers()
  retryPolicy.minTimeout = 1
})
afterAll(async () => {
  retryPolicy.minTimeout = minTimeout
  delete process.env.LAB_DIR
  await publishers.stop()
})
beforeEach(() => {
  process.env.LAB_DIR = newFolder()
  checkout = newCheckout(publishers)
})

const update = (name: string, options: { to?: string; dryRun?: boolean } = {}, lock: Lock = checkout.lock) =>
  updatePin(findPin(listPins(lock), name), lock, { ...options, checkout: checkout.folder })
const newLock = (): Lock => readLock('', join(checkout.folder, 'lab.lock.yaml'))
const factsOf = (name: string): Record<string, unknown> =>
  (parse(checkout.read('test/images/images.yaml')) as { images: Record<string, Record<string, unknown>> }).images[name]!

/** Returns the lines of the lock file that are new. */
const newLines = (before: string): string[] =>
  checkout
    .read('lab.lock.yaml')
    .split('\n')
    .filter(line => !before.split('\n').includes(line))

describe('a chart', () => {
  const agent = { user: '', entrypoint: ['/usr/bin/tetragon'] }

  beforeEach(async () => {
    const values = `tetragon:
  image: { repository: ${publishers.host}/quay.io/cilium/tetragon, tag: v9.8.0, override: ~ }
  newKey: 1
tetragonOperator:
  image: { repository: ${publishers.host}/quay.io/cilium/tetragon-operator, tag: '' }
export: { stdout: { image: { repository: ${publishers.host}/quay.io/cilium/hubble-export-stdout, tag: v1.0.0 } } }
`
    await publishers.addCharts('tetragon', {
      '9.8.0': { 'tetragon/values.yaml': values },
      [checkout.lock.charts.tetragon.version]: {},
    })
    publishers.addTag('quay.io/cilium/tetragon', 'v9.8.0', agent)
    publishers.addTag('quay.io/cilium/tetragon-operator', 'v9.8.0', { user: '65532:65532' })
    publishers.addRelease(
      'cilium/tetragon',
      'v9.8.0',
      Object.fromEntries(
        ['linux-amd64', 'linux-arm64', 'darwin-amd64', 'darwin-arm64'].map(platform => [
          `tetra-${platform}.tar.gz.sha256sum`,
          `${sha256(platform)}  tetra-${platform}.tar.gz\n`,
        ]),
      ),
    )
  })

  test('moves with its images, the program that follows it, and the digests of the publishers', async () => {
    const before = checkout.read('lab.lock.yaml')
    const { version } = checkout.lock.charts.tetragon
    const { moves, next } = await update('charts.tetragon')
    expect(moves).toEqual([
      { pin: 'charts.tetragon', from: version, to: '9.8.0' },
      { pin: 'images.tetragon', from: `v${version}`, to: 'v9.8.0' },
      { pin: 'images.tetragon-operator', from: `v${version}`, to: 'v9.8.0' },
      { pin: 'tools.tetra', from: checkout.lock.tools.tetra.version, to: '9.8.0' },
    ])
    const archive = publishers.texts.get('/charts/tetragon-9.8.0.tgz') as Buffer
    expect(newLock().charts.tetragon).toMatchObject({
      version: '9.8.0',
      url: `${publishers.base}/charts/tetragon-9.8.0.tgz`,
      sha256: sha256(archive),
    })
    expect(newLock().images.tetragon).toMatchObject({ tag: 'v9.8.0', digest: digestOfTag('v9.8.0', agent) })
    // Comments and all other entries stay.
    expect(newLines(before)).toHaveLength(6)
    expect(next).toContain('./lab test')
  })

  test('brings the keys of its values, the rig’s lock file and the facts about its images', async () => {
    const { version } = checkout.lock.charts.tetragon
    await update('charts.tetragon')
    expect(existsSync(join(checkout.folder, `test/charts/tetragon-${version}.keys`))).toBe(false)
    expect(checkout.read('test/charts/tetragon-9.8.0.keys').split('\n')).toContain('tetragon/newKey')
    const rig = parse(checkout.read('test/rig.lock.yaml')) as Lock
    expect(rig.charts.tetragon).toEqual({ version: '9.8.0', url: 'file://${LAB_RIG_DIR}/charts/tetragon-9.8.0.tgz' })
    expect(factsOf('tetragon')).toMatchObject({
      image: `${publishers.host}/quay.io/cilium/tetragon:v9.8.0`,
      source: 'https://github.com/cilium/tetragon/blob/v9.8.0/Dockerfile',
      unverified: `programs and folders were read for v${version}`,
      user: 'root',
      entrypoint: ['/usr/bin/tetragon'],
      platforms: ['linux/amd64', 'linux/arm64'],
    })
    expect(factsOf('tetragon-operator')).toMatchObject({ user: 65532, entrypoint: ['/run'] })
  })

  test('changes no file with dryRun, or when a part of it is not published', async () => {
    const before = checkout.read('lab.lock.yaml')
    const { moves, files } = await update('charts.tetragon', { dryRun: true })
    expect(moves).toHaveLength(4)
    expect(files).toContain('lab.lock.yaml')
    publishers.texts.set('/cilium/tetragon/releases/download/v9.8.0/tetra-darwin-arm64.tar.gz.sha256sum', 404)
    expect((await errorOf(update('charts.tetragon'))).found).toContain('answered 404 for the checksums of tetra 9.8.0')
    expect(checkout.read('lab.lock.yaml')).toBe(before)
  })

  test('is refused when its archive has another digest than the index says', async () => {
    publishers.texts.set('/charts/tetragon-9.8.0.tgz', 'something else')
    expect((await errorOf(update('charts.tetragon'))).found).toContain('The sha256 of chart tetragon 9.8.0')
  })

  test('stays on the mirror of a lock file that overrides it, without the data of the lab’s own tests', async () => {
    const mirror = join(newFolder(), 'school.lock.yaml')
    const url = `${publishers.base}/charts/../charts/tetragon-${checkout.lock.charts.tetragon.version}.tgz`
    writeFileSync(
      mirror,
      `version: 1\ncharts:\n  tetragon:\n    version: ${checkout.lock.charts.tetragon.version}\n    url: ${url}\n    index: ${publishers.base}/index.yaml\n`,
    )
    const before = checkout.read('test/rig.lock.yaml')
    await update('charts.tetragon', {}, readLock(mirror, join(checkout.folder, 'lab.lock.yaml')))
    expect(readFileSync(mirror, 'utf8')).toContain(`url: ${publishers.base}/charts/../charts/tetragon-9.8.0.tgz`)
    expect(checkout.read('test/rig.lock.yaml')).toBe(before)
  })

  test('is refused in a version that its repository does not list', async () => {
    expect(await errorOf(update('charts.tetragon', { to: '9.7.0' }))).toMatchObject({
      found: `The index ${publishers.base}/index.yaml does not list tetragon 9.7.0`,
      expected: 'a version of its publisher, such as 9.8.0',
    })
  })
})

describe('kind', () => {
  const digest = `sha256:${'7'.repeat(64)}`

  beforeEach(() => {
    const releases = ['linux-amd64', 'linux-arm64', 'darwin-amd64', 'darwin-arm64'].map(platform => [
      `kind-${platform}.sha256sum`,
      `${sha256(platform)}  kind-${platform}\n`,
    ])
    publishers.addRelease('kubernetes-sigs/kind', 'v0.99.0', Object.fromEntries(releases))
    publishers.redirects.set('/kubernetes-sigs/kind/raw/v0.99.0/pkg/apis/config/defaults/image.go', '/raw/image.go')
    publishers.texts.set('/raw/image.go', `package defaults\n\nconst Image = "kindest/node:v1.99.2@${digest}"\n`)
    for (const platform of ['linux/amd64', 'linux/arm64', 'darwin/amd64', 'darwin/arm64'])
      publishers.texts.set(`/release/v1.99.2/bin/${platform}/kubectl.sha256`, sha256(platform))
  })

  test('moves with the node image that its sources name, and with kubectl', async () => {
    const { moves } = await update('kind')
    expect(moves.map(({ pin, to }) => [pin, to])).toEqual([
      ['tools.kind', '0.99.0'],
      ['nodeImage', 'v1.99.2'],
      ['tools.kubectl', '1.99.2'],
    ])
    expect(newLock().nodeImage).toMatchObject({ tag: 'v1.99.2', digest })
    expect(parse(checkout.read('test/rig.lock.yaml')).nodeImage.tag).toBe('v1.99.2')
  })

  test('is the pin to update instead of those that follow it', async () => {
    for (const name of ['nodeImage', 'kubectl'])
      expect(await errorOf(update(name))).toMatchObject({ exitCode: 2, next: './lab pins update tools.kind' })
  })

  test('is refused while a platform is missing in its release', async () => {
    publishers.texts.set('/kubernetes-sigs/kind/releases/download/v0.99.0/kind-darwin-arm64.sha256sum', 'no digest\n')
    expect((await errorOf(update('kind'))).found).toMatch(
      /kind-darwin-arm64\.sha256sum does not list kind-darwin-arm64$/,
    )
  })
})

test('Pulumi’s programs name the npm package that must have the same version', async () => {
  publishers.addRelease('pulumi/pulumi', 'v9.9.9', {
    'pulumi-9.9.9-checksums.txt': checksumsOf('pulumi-v9.9.9-{os}-{cpu}.tar.gz'),
  })
  const { moves, next } = await update('pulumi')
  expect(moves).toMatchObject([{ pin: 'tools.pulumi', to: '9.9.9' }])
  expect(next).toContain('npm install --save-exact @pulumi/pulumi@9.9.9')
})

test('an image moves alone, with its digest; a tag that moves gets the digest that it has now', async () => {
  publishers.addTag('docker.io/grafana/k6', '9.0.0', { user: '12345', entrypoint: ['k6'] })
  publishers.addTag('docker.io/library/redis', '7-alpine')
  expect(await update('k6')).toMatchObject({ moves: [{ pin: 'images.k6', to: '9.0.0' }] })
  expect(newLock().images.k6).toMatchObject({
    tag: '9.0.0',
    digest: digestOfTag('9.0.0', { user: '12345', entrypoint: ['k6'] }),
  })
  expect(factsOf('k6')).toMatchObject({ user: 12345, source: 'https://github.com/grafana/k6/blob/v9.0.0/Dockerfile' })
  expect(await update('redis')).toMatchObject({ moves: [], files: ['lab.lock.yaml'] })
  expect(newLock().images.redis).toMatchObject({ tag: '7-alpine', digest: digestOfTag('7-alpine') })
  checkout.lock.images.redis = newLock().images.redis
  expect(await update('redis')).toEqual({ moves: [], files: [], next: [] })
})

test('the original Guestbook stays, unless a version is given', async () => {
  expect((await errorOf(update('guestbook-frontend'))).found).toBe(
    'images.guestbook-frontend stays at v5: the original Guestbook, as the source documents use it',
  )
})
