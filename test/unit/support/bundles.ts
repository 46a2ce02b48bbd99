import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { create } from 'tar'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { type CreateResult, createBundle } from '../../../scripts/bundle/create.ts'
import { planBundle } from '../../../scripts/bundle/create-plan.ts'
import { type LoadResult, loadBundle } from '../../../scripts/bundle/load.ts'
import { planLoad } from '../../../scripts/bundle/load-plan.ts'
import { checksumLines, type Manifest } from '../../../scripts/bundle/manifest.ts'
import { openBundle } from '../../../scripts/bundle/open.ts'
import { type TarEntry, tarChunks } from '../../../scripts/bundle/tar.ts'
import { requiredCharts } from '../../../scripts/supplies/charts.ts'
import { parsePlatforms, platformName, thisPlatform } from '../../../scripts/supplies/platform.ts'
import { retryPolicy } from '../../../scripts/supplies/retry.ts'
import { imagesOf } from '../../../shared/lab-images.ts'
import { imageRef, type Lock, type LockedImage, toolNames } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { type FakeDocker, fakeDocker } from './fake-docker.ts'
import { newFolder } from './folders.ts'
import { archive, chartArchive, lockWith, type Publisher, sha256, startPublisher } from './publisher.ts'

// Machines for tests of bundles: a publisher on loopback, and a fake docker and npm.

export const settings = parseSettings({ tetragon: { source: 'replay' }, traffic: { enabled: false } })
export const machine = platformName(thisPlatform())
export const engine = 'linux/amd64'
export const redis = 'docker.io/library/redis:7-alpine'
export const loki = 'docker.io/grafana/loki:3.7.6'
export const digest = (digit: string): string => `sha256:${digit.repeat(64)}`
export const baseLayer = Buffer.from('shared')

/** Everything that a test of bundles uses. */
export interface BundleTest {
  publisher: Publisher
  docker: FakeDocker
  lock: Lock
  /** Path of the bundle. */
  file: string
  /** Folder of the fake npm. */
  npmFolder: string
}

/** Sets up a publisher for the file, and for each test a machine whose Docker has every image. */
export function useBundleTest(): BundleTest {
  const { PATH } = process.env
  const context = {} as BundleTest
  let publishedLock: Lock
  beforeAll(async () => {
    retryPolicy.minTimeout = 1
    context.publisher = await startPublisher()
    publishedLock = await publishLock(context.publisher)
  })
  afterAll(() => context.publisher.stop())
  beforeEach(async () => {
    context.lock = { ...publishedLock, charts: { ...publishedLock.charts }, images: { ...publishedLock.images } }
    context.publisher.asked.length = 0
    context.file = join(newFolder(), 'lab.bundle')
    newMachine(context)
    for (const image of requiredImages(context.lock)) await addImage(context.docker, imageRef(image))
  })
  afterEach(() => {
    delete process.env.LAB_DIR
    process.env.PATH = PATH
  })
  return context
}

/** Continues on a machine that has nothing yet: its own .lab, Docker and npm. */
export function newMachine(context: BundleTest): void {
  process.env.LAB_DIR = newFolder()
  context.npmFolder = newFolder()
  writeFileSync(
    join(context.npmFolder, 'npm'),
    '#!/bin/sh\nmkdir -p node_modules/a && echo "a" > node_modules/a/index.js\n',
  )
  chmodSync(join(context.npmFolder, 'npm'), 0o755)
  process.env.PATH = `${context.npmFolder}:/usr/bin:/bin`
  context.docker = fakeDocker()
  context.docker.put('info', dockerInfo())
}

/** Returns the output of `docker info` for an engine in a VM. */
export const dockerInfo = (changes: object = {}): string =>
  JSON.stringify({
    OSType: 'linux',
    Architecture: 'x86_64',
    OperatingSystem: 'A test',
    KernelVersion: 'none',
    SecurityOptions: [],
    NCPU: 2,
    MemTotal: 8e9,
    DockerRootDir: '/nowhere',
    SystemTime: new Date().toISOString(),
    ...changes,
  })

/** Returns the images of a lab with the settings above. */
export const requiredImages = (lock: Lock): LockedImage[] => [
  lock.nodeImage,
  ...imagesOf({ settings, source: 'replay' }).map(name => lock.images[name]),
]

/** Returns a lock whose charts and programs the publisher has, for every platform. */
async function publishLock(publisher: Publisher): Promise<Lock> {
  const own = lockWith({})
  const charts = { ...own.charts }
  for (const name of requiredCharts(settings)) {
    const { version } = charts[name]
    publisher.files.set(`/${name}.tgz`, await chartArchive(name, version))
    charts[name] = { version, url: publisher.url(`/${name}.tgz`) }
  }
  const tools = { ...own.tools }
  for (const name of toolNames) {
    const { version } = tools[name]
    tools[name] = { version, sha256: {}, url: publisher.url(`/{os}-{arch}/${name}.tgz`), member: `${name}-{os}/` }
    for (const os of ['linux', 'darwin']) {
      const program = await archive({ [`${name}-${os}/${name}`]: `#!/bin/sh\necho v${version}\n` })
      for (const arch of ['amd64', 'arm64']) publisher.files.set(`/${os}-${arch}/${name}.tgz`, program)
    }
  }
  const { repository, tag } = own.nodeImage
  return { ...own, charts, tools, nodeImage: { repository, tag } }
}

interface SavedImage {
  bytes: Buffer
  id: string
}

const savedImages = new Map<string, SavedImage>()

/** Returns `docker save` of an image with two layers, one of which all images share. Built once per file. */
export async function savedImage(ref: string, platform: string): Promise<SavedImage> {
  const key = `${ref} ${platform}`
  if (!savedImages.has(key))
    savedImages.set(key, await saveImage(ref, platform, [baseLayer, Buffer.from(`of ${ref} ${platform}`)]))
  return savedImages.get(key)!
}

/**
 * Returns what `docker save` prints before Docker 25: a folder for each layer, and links to layers that are already in
 * the archive.
 */
export async function saveImage(ref: string, platform: string, layers: Buffer[]): Promise<SavedImage> {
  const folder = newFolder()
  const [os, architecture] = platform.split('/')
  const config = JSON.stringify({
    os,
    architecture,
    rootfs: { type: 'layers', diff_ids: layers.map(layer => `sha256:${sha256(layer)}`) },
  })
  const files = [`${sha256(config)}.json`, 'manifest.json']
  writeFileSync(join(folder, files[0]!), config)
  const paths = layers.map((layer, index) => {
    mkdirSync(join(folder, `${index}`))
    const path = `${index}/layer.tar`
    const first = layers.findIndex(other => other.equals(layer))
    if (first < index) symlinkSync(`../${first}/layer.tar`, join(folder, path))
    else writeFileSync(join(folder, path), layer)
    for (const name of ['VERSION', 'json']) writeFileSync(join(folder, `${index}`, name), '{"id": "x"}')
    files.push(path, `${index}/VERSION`, `${index}/json`)
    return path
  })
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify([{ Config: files[0], RepoTags: [ref], Layers: paths }]))
  const file = join(newFolder(), 'saved.tar')
  await create({ cwd: folder, file }, files.sort())
  return { bytes: readFileSync(file), id: `sha256:${sha256(config)}` }
}

/** Adds an image to Docker on this machine. */
export async function addImage(docker: FakeDocker, ref: string, repoDigest = '-'): Promise<void> {
  const { bytes, id } = await savedImage(ref, engine)
  docker.give('saved', ref, bytes)
  docker.put('host', `${ref} ${repoDigest} ${id}`)
}

export const plan = ({ file, lock }: BundleTest, { platforms = '', all = false } = {}, labSettings = settings) =>
  planBundle({ file, platforms: parsePlatforms(platforms), all }, labSettings, lock)

export const make = async (
  context: BundleTest,
  options?: { platforms?: string; all?: boolean },
): Promise<CreateResult> => createBundle(await plan(context, options))

let plainBundle: Buffer | undefined

/** Writes the bundle of an unchanged test, which is created once per file. */
export async function makePlain(context: BundleTest): Promise<void> {
  if (plainBundle) return writeFileSync(context.file, plainBundle)
  await make(context)
  plainBundle = readFileSync(context.file)
}

export const load = async ({ file, lock }: Pick<BundleTest, 'file' | 'lock'>): Promise<LoadResult> =>
  loadBundle(await planLoad(file, lock))

export const tarBytes = (entries: TarEntry[]): Promise<Buffer> => buffer(Readable.from(tarChunks(entries)))

export const entry = (path: string, content: Buffer | string): TarEntry => {
  const bytes = Buffer.from(content)
  return { path, size: bytes.length, content: [bytes] }
}

/** Writes the same bundle with another manifest, whose checksum is right. @returns the new path. */
export async function withManifest(file: string, change: (manifest: Manifest) => unknown): Promise<string> {
  const { manifest, read } = await openBundle(file)
  const text = JSON.stringify(change(structuredClone(manifest)))
  const other = join(newFolder(), 'other.bundle')
  const bytes = await tarBytes([
    entry('manifest.json', text),
    entry('SHA256SUMS', checksumLines({ 'manifest.json': { sha256: sha256(text) }, ...manifest.members })),
    ...Object.entries(manifest.members).map(([path, { size }]) => ({ path, size, content: read(path) })),
  ])
  writeFileSync(other, bytes)
  return other
}

/** Returns the names of files that a failed load left in the lab's folder. */
export const leftovers = (): string[] =>
  ['charts', 'tools']
    .map(name => join(process.env.LAB_DIR!, name))
    .filter(existsSync)
    .flatMap(folder => readdirSync(folder))
    .filter(name => /part|bundle/.test(name))
