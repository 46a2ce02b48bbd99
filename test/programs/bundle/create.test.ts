import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { createBundle } from '../../../scripts/bundle/create.ts'
import { openBundle } from '../../../scripts/bundle/open.ts'
import { ensureCharts, requiredCharts } from '../../../scripts/supplies/charts.ts'
import { pullImages } from '../../../scripts/supplies/pull-images.ts'
import { rememberedDigest } from '../../../scripts/supplies/remembered-digests.ts'
import { ensureTools } from '../../../scripts/supplies/tools.ts'
import { chartFile, imageRef, type LockedImage, toolNames } from '../../../shared/lock.ts'
import {
  baseLayer,
  digest,
  engine,
  load,
  loki,
  machine,
  make,
  makePlain,
  newMachine,
  plan,
  redis,
  requiredImages,
  savedImage,
  settings,
  useBundleTest,
} from '../../unit/support/bundles.ts'
import { newFolder } from '../../unit/support/folders.ts'
import { chartArchive, errorOf, sha256 } from '../../unit/support/publisher.ts'

// With the node image, three images show the same as all 17, and each takes several runs of the fake docker
vi.mock('../../../shared/lab-images.ts', () => ({ imagesOf: () => ['loki', 'redis'] }))

const tools = toolNames.filter(name => name !== 'node')
const context = useBundleTest()

test('a machine without a network needs nothing but the bundle', async () => {
  const made = await make(context)
  const { lock, file, publisher } = context
  expect(made).toMatchObject({ file, platforms: [machine], sha256: sha256(readFileSync(file)) })
  expect(existsSync(`${file}.parts`)).toBe(false)
  newMachine(context)
  publisher.asked.length = 0

  const result = await load(context)
  expect(result.images.sort()).toEqual(requiredImages(lock).map(imageRef).sort())
  expect(result.tools).toEqual(tools)
  expect(result.charts.sort()).toEqual(requiredCharts(settings).sort())
  expect(await ensureCharts(lock, requiredCharts(settings))).toEqual(
    requiredCharts(settings).map(name => expect.objectContaining({ name, fetched: false, trust: 'remembered' })),
  )
  const programs = await ensureTools(lock, tools)
  expect(programs.kind).toBe(join(process.env.LAB_DIR!, `tools/kind-${lock.tools.kind.version}/kind`))
  await pullImages(requiredImages(lock))
  expect(publisher.asked).toEqual([])
  expect(context.docker.calls().filter(call => /^(pull|manifest)/.test(call))).toEqual([])
  // The digest is stored as by a download, so another file from this URL will be refused
  expect(rememberedDigest(publisher.url('/loki.tgz'))).toBe(sha256(readFileSync(chartFile(lock, 'loki'))))
})

test('is a tar with valid checksums that contains a shared layer once', async () => {
  await makePlain(context)
  const { lock, file } = context
  const folder = newFolder()
  await execa('tar', ['-xf', file], { cwd: folder })
  const { stdout } = await execa('shasum', ['-a', '256', '-c', 'SHA256SUMS'], { cwd: folder })
  expect(stdout.split('\n').every(line => line.endsWith(': OK'))).toBe(true)
  const { manifest } = await openBundle(file)
  expect(stdout.split('\n')).toHaveLength(Object.keys(manifest.members).length + 1)
  expect(manifest.images.every(({ layers }) => layers[0] === `layers/${sha256(baseLayer)}.tar.gz`)).toBe(true)
  // Two layers of each image, of which one is shared
  expect(readdirSync(join(folder, 'layers'))).toHaveLength(requiredImages(lock).length + 1)
  // The launcher reads these first
  expect(Object.keys(manifest.members)[0]).toMatch(/^packages\/[0-9a-f]{12}\.tar\.gz$/)
  expect(Object.keys(manifest.members)[1]).toMatch(/^tools\/[a-z0-9-]+\/node-/)
})

test('the same contents make the same bundle, except for its date and npm packages', async () => {
  await makePlain(context)
  const first = (await openBundle(context.file)).manifest
  await make(context)
  const second = (await openBundle(context.file)).manifest
  // npm installs the packages again, with new file times
  const { [first.packages]: _, ...members } = second.members
  expect(first.members).toMatchObject(members)
  expect(Object.keys(second.members)).toEqual(Object.keys(first.members))
})

describe('for other machines', () => {
  const armName = (image: LockedImage): string => `${image.repository}@sha256:${sha256(`arm64 ${imageRef(image)}`)}`

  beforeEach(async () => {
    const { docker, lock } = context
    for (const image of requiredImages(lock)) {
      const name = armName(image)
      const index = {
        manifests: [
          { digest: digest('1'), platform: { os: 'linux', architecture: 'amd64' } },
          { digest: name.split('@')[1], platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
          { digest: digest('2'), platform: { os: 'unknown', architecture: 'unknown' } },
        ],
      }
      docker.give('manifests', imageRef(image), JSON.stringify(index))
      docker.give('manifests', name, JSON.stringify({ layers: [{ size: 1000 }, { size: 234 }] }))
      docker.give('saved', name, (await savedImage(imageRef(image), 'linux/arm64')).bytes)
      docker.put('registry', `${name} ${name}`)
    }
  })

  test('a Mac gets its own programs and linux/arm64 images, and the images on this machine stay', async () => {
    const { docker, lock, file } = context
    const before = docker.read('host')
    const made = await make(context, { platforms: 'linux/amd64,darwin/arm64' })
    expect(made.platforms).toEqual(['linux/amd64', 'darwin/arm64'])
    const { manifest } = await openBundle(file)
    expect([...new Set(manifest.tools.map(({ platform }) => platform))]).toEqual(['linux/amd64', 'darwin/arm64'])
    expect([...new Set(manifest.images.map(({ platform }) => platform))]).toEqual(['linux/amd64', 'linux/arm64'])
    expect(docker.read('host')).toEqual(before)
    const pulls = docker.calls().filter(call => call.startsWith('pull'))
    expect(pulls.sort()).toEqual(
      requiredImages(lock)
        .map(image => `pull --platform linux/arm64 ${armName(image)}`)
        .sort(),
    )
    // Both platforms have the base layer, and the bundle has it once
    expect(new Set(manifest.images.flatMap(({ layers }) => layers)).size).toBe(1 + 2 * requiredImages(lock).length)
  })

  test('the plan knows the size of every download', async () => {
    const { steps, fetch, release } = await plan(context, { platforms: 'linux/arm64' })
    await release()
    const images = steps.filter(({ from, group }) => from === 'network' && group.startsWith('Images'))
    expect(images.map(({ bytes }) => bytes)).toEqual(requiredImages(context.lock).map(() => 1234))
    expect(steps.filter(({ group }) => group.startsWith('Programs')).every(({ bytes }) => bytes! > 0)).toBe(true)
    expect(fetch.unknown).toBe(0)
  })

  test('an image that is not published for them is named', async () => {
    context.docker.give('manifests', redis, JSON.stringify({ manifests: [] }))
    const error = await errorOf(make(context, { platforms: 'linux/arm64' }))
    expect(error.found).toBe(`The image ${redis} is not published for linux/arm64`)
  })

  test('a machine that it is not for refuses it, and says which platform to add', async () => {
    const other = machine === 'linux/arm64' ? 'darwin/arm64' : 'linux/arm64'
    await make(context, { platforms: other })
    newMachine(context)
    const error = await errorOf(load(context))
    expect(error.found).toBe(`The bundle ${context.file} is for ${other}`)
    expect(error.expected).toMatch(new RegExp(`^${machine}`))
    expect(error.next).toContain(`--platform ${other},${machine}`)
  })
})

describe('after an interrupted run', () => {
  test('downloads no program twice', async () => {
    const { publisher, lock, file } = context
    publisher.files.set('/loki.tgz', 404)
    const error = await errorOf(make(context))
    expect(error.found).toContain('answered 404 for chart loki')
    expect(existsSync(file)).toBe(false)
    publisher.asked.length = 0
    publisher.files.set('/loki.tgz', await chartArchive('loki', lock.charts.loki.version))
    const again = await plan(context)
    expect(again.steps.filter(({ from }) => from === 'earlier').map(({ group }) => group)).toContain(
      `Programs for ${machine}`,
    )
    await createBundle(again)
    expect(publisher.asked.filter(path => path.startsWith('/linux') || path.startsWith('/darwin'))).toEqual([])
    expect((await openBundle(file)).manifest.charts.map(({ name }) => name)).toContain('loki')
  })

  test('packs an image again only when its file has changed', async () => {
    const { docker, file } = context
    docker.give('saved', loki, 'not a tar')
    await errorOf(make(context))
    const saves = (): string[] =>
      docker
        .calls()
        .filter(call => call.startsWith('save'))
        .map(call => call.split(' ').at(-1)!)
    const first = saves()
    docker.give('saved', loki, (await savedImage(loki, engine)).bytes)
    const journal = JSON.parse(readFileSync(join(`${file}.parts`, 'journal.json'), 'utf8'))
    const packed = Object.keys(journal.images).map(key => key.split(' ')[1]!)
    expect(packed.length).toBeGreaterThan(0)
    const [damaged] = packed
    writeFileSync(join(`${file}.parts`, journal.images[`${engine} ${damaged}`].layers[1]), 'x')
    writeFileSync(join(`${file}.parts`, '.9.part'), 'half')
    await make(context)
    const second = saves().slice(first.length)
    expect(second).toContain(damaged)
    expect(second).toContain(loki)
    expect(second.filter(ref => packed.includes(ref))).toEqual([damaged])
  })
})

test('pulls an image by its pinned digest when the one on this machine has no digest', async () => {
  const { lock, docker, file } = context
  lock.images.redis = { ...lock.images.redis, digest: digest('a') }
  docker.put('registry', `${redis} docker.io/library/redis@${digest('a')}`)
  await make(context)
  expect(docker.calls()).toContain(`pull docker.io/library/redis@${digest('a')}`)
  const { manifest } = await openBundle(file)
  expect(manifest.images.find(({ ref }) => ref === redis)!.digest).toBe(digest('a'))
})

test('prints the error of npm', async () => {
  writeFileSync(join(context.npmFolder, 'npm'), '#!/bin/sh\necho "npm error network is away" >&2\nexit 1\n')
  expect((await errorOf(make(context))).found).toBe('npm ci failed: npm error network is away')
})
