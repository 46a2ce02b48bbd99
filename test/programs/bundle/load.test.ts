import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { openBundle } from '../../../scripts/bundle/open.ts'
import { readTarIndex } from '../../../scripts/bundle/tar.ts'
import { requiredCharts } from '../../../scripts/supplies/charts.ts'
import { pullImages } from '../../../scripts/supplies/pull-images.ts'
import { rememberDigests } from '../../../scripts/supplies/remembered-digests.ts'
import { chartFile, imageRef, toolNames } from '../../../shared/lock.ts'
import {
  addImage,
  digest,
  dockerInfo,
  leftovers,
  load,
  loki,
  make,
  makePlain,
  newMachine,
  redis,
  requiredImages,
  settings,
  useBundleTest,
  withManifest,
} from '../../unit/support/bundles.ts'
import { fakeDocker } from '../../unit/support/fake-docker.ts'
import { newFolder } from '../../unit/support/folders.ts'
import { errorOf } from '../../unit/support/publisher.ts'

// With the node image, three images show the same as all 17, and each takes several runs of the fake docker
vi.mock('../../../shared/lab-images.ts', () => ({ imagesOf: () => ['loki', 'redis'] }))

const tools = toolNames.filter(name => name !== 'node')
const context = useBundleTest()

test('continues after a failure, and loads nothing the third time', async () => {
  await makePlain(context)
  newMachine(context)
  const { docker, lock } = context
  docker.put('full', 'yes')
  const error = await errorOf(load(context))
  expect(error.found).toMatch(/^Docker has no disk space left for /)
  expect(existsSync(chartFile(lock, 'loki'))).toBe(true)
  docker.clear('full')
  const again = await load(context)
  expect(again).toMatchObject({ tools: [], charts: [], there: tools.length + requiredCharts(settings).length })
  expect(again.images).toHaveLength(requiredImages(lock).length)
  const calls = docker.calls().length
  expect(await load(context)).toMatchObject({ tools: [], charts: [], images: [] })
  const later = docker.calls().slice(calls)
  expect(later.filter(call => call.startsWith('load'))).toEqual([])
})

test('loads missing images and those whose tag is another image', async () => {
  await makePlain(context)
  newMachine(context)
  const { docker, lock } = context
  for (const image of requiredImages(lock)) await addImage(docker, imageRef(image))
  docker.remove(redis)
  docker.remove(loki)
  docker.put('host', `${loki} - ${digest('f')}`)
  expect((await load(context)).images.sort()).toEqual([loki, redis])
})

test('the containerd image store changes the digest of a loaded image, and `lab up` still recognizes it', async () => {
  const { lock } = context
  lock.images.redis = { ...lock.images.redis, digest: digest('a') }
  context.docker.remove(redis)
  await addImage(context.docker, redis, `docker.io/library/redis@${digest('a')}`)
  await make(context)
  newMachine(context)
  const { docker } = context
  docker.put('store', 'c'.repeat(64))
  await load(context)
  await pullImages([lock.images.redis])
  expect(docker.calls().filter(call => call.startsWith('pull'))).toEqual([])

  // Another image with the same tag is replaced
  docker.remove(redis)
  docker.put('host', `${redis} docker.io/library/redis@${digest('d')} ${digest('d')}`)
  docker.put('registry', `${redis} docker.io/library/redis@${digest('a')}`)
  await pullImages([lock.images.redis])
  expect(docker.calls()).toContain(`pull docker.io/library/redis@${digest('a')}`)
})

describe('refuses', () => {
  beforeEach(async () => {
    await makePlain(context)
    newMachine(context)
  })

  test('a bundle that is cut off, without leaving a file', async () => {
    const bytes = readFileSync(context.file)
    writeFileSync(context.file, bytes.subarray(0, bytes.length / 2))
    expect((await errorOf(load(context))).found).toMatch(/ is cut off after \d+ bytes$/)
    expect(readdirSync(process.env.LAB_DIR!).filter(name => name !== 'cache')).toEqual([])
  })

  test('a changed chart, program or layer, and installs nothing of it', async () => {
    const { manifest } = await openBundle(context.file)
    const { members } = (await readTarIndex(context.file))!
    const changed = [
      manifest.charts[0]!.path,
      manifest.tools.find(({ name }) => name === 'kind')!.path,
      manifest.images.at(-1)!.layers.at(-1)!,
    ]
    for (const path of changed) {
      newMachine(context)
      const bytes = readFileSync(context.file)
      const { offset, size } = members.get(path)!
      bytes[offset + size - 1]! ^= 1
      const file = join(newFolder(), 'other.bundle')
      writeFileSync(file, bytes)
      const error = await errorOf(load({ ...context, file }))
      expect(error.found).toBe(`The bundle ${file} is damaged: ${path} has changed`)
      expect(context.docker.loaded(manifest.images.at(-1)!.ref)).toBeUndefined()
      expect(leftovers()).toEqual([])
    }
  })

  test('a bundle of another lock, and names the difference', async () => {
    const { lock, file } = context
    const other = { ...lock, charts: { ...lock.charts, loki: { ...lock.charts.loki, version: '18.12.0' } } }
    const error = await errorOf(load({ file, lock: other }))
    expect(error.found).toBe(`The bundle ${file} has 18.11.0 for charts.loki`)
    expect(error.expected).toBe(`18.12.0, as in ${lock.file}`)
    other.images = { ...lock.images, redis: { ...lock.images.redis, digest: digest('a') } }
    expect((await errorOf(load({ file, lock: other }))).expected).toContain('(1 more differ)')
  })

  test('a chart that differs from the first download', async () => {
    await rememberDigests({ [context.publisher.url('/loki.tgz')]: 'e'.repeat(64) })
    expect((await errorOf(load(context))).expected).toBe(`${'e'.repeat(64)}, the digest of the first download`)
  })

  test('an image that differs from the first pull', async () => {
    await rememberDigests({ [redis]: digest('e') })
    const error = await errorOf(load(context))
    expect(error.found).toBe(`The bundle ${context.file} contains ${redis} with no digest`)
  })

  test('an image that differs from the lock, even if the manifest repeats the pin', async () => {
    const { lock } = context
    const pinned = { ...lock, images: { ...lock.images, redis: { ...lock.images.redis, digest: digest('a') } } }
    const forged = await withManifest(context.file, manifest => {
      manifest.pins['images.redis'] = `${redis}@${digest('a')}`
      manifest.images.find(({ ref }) => ref === redis)!.digest = digest('b')
      return manifest
    })
    const error = await errorOf(load({ file: forged, lock: pinned }))
    expect(error.expected).toBe(`${digest('a')}, the digest in the lock`)
    expect(error.next).toContain('do not load it')
  })

  // Elsewhere Docker stores its images in a VM, whose disk is not visible from here
  test.runIf(process.platform === 'linux')('a bundle that is larger than the free disk space', async () => {
    context.docker.restore()
    context.docker = fakeDocker()
    context.docker.put('info', dockerInfo({ KernelVersion: release(), DockerRootDir: '/' }))
    const large = await withManifest(context.file, manifest => {
      for (const path of manifest.images[0]!.layers) manifest.unpacked[path] = 1e15
      return manifest
    })
    const error = await errorOf(load({ ...context, file: large }))
    expect(error.found).toMatch(/^Only .* is free in \/$/)
    expect(error.expected).toMatch(/ [GT]B for the contents of the bundle$/)
  })

  test('to start without Docker', async () => {
    writeFileSync(
      join(process.env.PATH!.split(':')[0]!, 'docker'),
      '#!/bin/sh\necho "Cannot connect to the Docker daemon at x. " >&2\nexit 1\n',
    )
    expect((await errorOf(load(context))).found).toMatch(/^Cannot connect to Docker/)
  })
})
