import { readFileSync } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { list } from 'tar'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { loadImageIntoDocker, packImage } from '../../../scripts/bundle/image-archive.ts'
import type { BundledImage } from '../../../scripts/bundle/manifest.ts'
import { Stage } from '../../../scripts/bundle/stage.ts'
import { engine, entry, redis, savedImage, saveImage, tarBytes } from '../support/bundles.ts'
import { type FakeDocker, fakeDocker } from '../support/fake-docker.ts'
import { newFolder } from '../support/folders.ts'
import { errorOf, sha256 } from '../support/publisher.ts'

let docker: FakeDocker
beforeEach(() => {
  docker = fakeDocker()
})
afterEach(() => {
  docker.restore()
})

/** Packs the output of `docker save`. */
async function pack(bytes: Buffer): Promise<{ image: BundledImage; stage: Stage }> {
  docker.give('saved', redis, bytes)
  const stage = await Stage.open(newFolder())
  const { config, layers } = await packImage(stage, redis, engine, 'an id')
  return { image: { ref: redis, platform: engine, config, layers }, stage }
}

/**
 * Returns what `docker save` prints since Docker 25, with a layer as the containerd image store may have compressed it.
 */
async function saveWithLayer(layer: string, compressed: Buffer): Promise<Buffer> {
  const config = JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { diff_ids: [`sha256:${sha256(layer)}`] },
  })
  const [configPath, layerPath] = [Buffer.from(config), compressed].map(blob => `blobs/sha256/${sha256(blob)}`)
  const manifest = JSON.stringify([{ Config: configPath, RepoTags: [redis], Layers: [layerPath] }])
  return tarBytes([entry(configPath!, config), entry(layerPath!, compressed), entry('manifest.json', manifest)])
}

test.each([
  ['uncompressed', (layer: Buffer) => layer],
  ['gzip', (layer: Buffer) => gzipSync(layer)],
  ['zstd', (layer: Buffer) => zstdCompressSync(layer)],
])('packs the same layer whether Docker stores it as %s', async (_, compress) => {
  const { image, stage } = await pack(await saveWithLayer('a layer', compress(Buffer.from('a layer'))))
  const path = `layers/${sha256('a layer')}.tar.gz`
  expect(image.layers).toEqual([path])
  expect(stage.unpackedSize(path)).toBe('a layer'.length)
  expect(gunzipSync(readFileSync(stage.file(path))).toString()).toBe('a layer')
})

test('refuses an image of another platform', async () => {
  const error = await errorOf(pack((await savedImage(redis, 'linux/arm64')).bytes))
  expect(error.found).toBe(`docker save returned no complete image ${redis} for linux/amd64`)
})

test('refuses layers that differ from the configuration', async () => {
  const changed = Buffer.from((await savedImage(redis, engine)).bytes)
  changed[changed.indexOf(`of ${redis}`)]! ^= 1
  expect((await errorOf(pack(changed))).found).toMatch(/^docker save returned no complete image/)
})

test('fails when the output of docker save is not an archive', async () => {
  await errorOf(pack(Buffer.from('not an archive')))
})

test('loads an image with its name, configuration and layers as it was saved', async () => {
  // The second layer is larger than what is kept in memory, and the third is a link to the first
  const layers = [Buffer.from('low'), Buffer.alloc(6 << 20, 'big'), Buffer.from('low')]
  const { bytes, id } = await saveImage(redis, engine, layers)
  const { image, stage } = await pack(bytes)
  await loadImageIntoDocker(image, path => entry(path, readFileSync(stage.file(path))))
  const loaded = await filesIn(docker.loaded(redis)!)
  const [manifest] = JSON.parse(loaded.get('manifest.json')!.toString())
  expect(manifest.RepoTags).toEqual([redis])
  expect(`sha256:${sha256(loaded.get(manifest.Config)!)}`).toBe(id)
  expect(manifest.Layers.map((path: string) => sha256(gunzipSync(loaded.get(path)!)))).toEqual(layers.map(sha256))
})

test('names the image for which Docker has no disk space', async () => {
  const { image, stage } = await pack((await savedImage(redis, engine)).bytes)
  docker.put('full', 'yes')
  const error = await errorOf(loadImageIntoDocker(image, path => entry(path, readFileSync(stage.file(path)))))
  expect(error.found).toBe(`Docker has no disk space left for ${redis}`)
})

async function filesIn(archive: Buffer): Promise<Map<string, Buffer>> {
  const contents: [string, Promise<Buffer>][] = []
  const parser = list({ onReadEntry: file => contents.push([file.path, buffer(file as never)]) })
  await new Promise(resolve => parser.on('end', resolve).end(archive))
  return new Map(await Promise.all(contents.map(async ([path, content]) => [path, await content] as const)))
}
