import { copyFile, mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import pLimit from 'p-limit'
import { create } from 'tar'
import { LabError } from '../../shared/lab-error.ts'
import { type ChartName, chartFile, imageRef, type Lock, type LockedImage, type ToolName } from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'
import { docker } from '../engine/docker.ts'
import { chartUrl, ensureCharts, verifyStoredChart } from '../supplies/charts.ts'
import { type DockerImage, dockerImageSizes, findDockerImages, imagePlatform } from '../supplies/docker-images.ts'
import { downloadSize, fileDigest, knownDigest } from '../supplies/download.ts'
import { expectedImageDigest, matchesLockedDigest, registryDigest } from '../supplies/image-digests.ts'
import { type Platform, platformName } from '../supplies/platform.ts'
import { findPublishedImage, type PublishedImage, pullPublishedImage } from '../supplies/published-images.ts'
import { pullImages } from '../supplies/pull-images.ts'
import { downloadToolArchive, pinnedToolDigest, toolUrl } from '../supplies/tools.ts'
import { packImage } from './image-archive.ts'
import { imagePaths, type Manifest, packagesPath } from './manifest.ts'
import type { Stage } from './stage.ts'

// One step for each program, chart, image and the npm packages: what it takes, and how to put it into the folder.

/** Something that goes into a bundle. */
export interface BundleStep {
  /** Title, for example `Programs for linux/amd64`. */
  group: string
  name: string
  /** Where it comes from: an earlier run, this machine, or the network. */
  from: 'earlier' | 'here' | 'network'
  /**
   * Bytes to download, or the unpacked size of an image on this machine. Undefined where the server does not report it.
   */
  bytes?: number | undefined
  /** Puts it into the folder, and returns its entry in the manifest. */
  run: () => Promise<ManifestPart>
}
export type ManifestPart = Partial<Pick<Manifest, 'tools' | 'charts' | 'images' | 'packages'>>

/** Compressed size of the npm packages in bytes. */
const packagesBytes = 26e6

/** Runs a function for each item, six at a time. */
export const mapConcurrently = <T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> => {
  const limit = pLimit(6)
  return Promise.all(items.map(item => limit(run, item)))
}

export const sum = (numbers: readonly (number | undefined)[]): number =>
  numbers.reduce<number>((total, number) => total + (number ?? 0), 0)

export async function packagesStep(stage: Stage): Promise<BundleStep> {
  const path = packagesPath(await fileDigest(join(projectDir, 'package-lock.json')))
  const staged = stage.member(path)
  return {
    group: 'npm packages',
    name: path,
    from: staged ? 'earlier' : 'network',
    bytes: staged?.size ?? packagesBytes,
    run: async () => {
      if (!staged) await stage.addMember(await packPackages(stage), path)
      return { packages: path }
    },
  }
}

/** Installs the packages again, without development dependencies: those in this checkout may have been changed. */
async function packPackages(stage: Stage): Promise<string> {
  const folder = stage.temporaryFile()
  await mkdir(folder)
  for (const name of ['package.json', 'package-lock.json']) await copyFile(join(projectDir, name), join(folder, name))
  const { failed, stderr, code } = await execa(
    'npm',
    ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: folder, reject: false },
  )
  if (failed)
    throw new LabError({
      found: `npm ci failed: ${code === 'ENOENT' ? 'npm is not on PATH' : stderr.trim().split('\n')[0]}`,
      next: 'check the network (npm config get registry), then repeat (collected files are kept)',
    })
  const archive = stage.temporaryFile()
  await create({ gzip: true, portable: true, cwd: folder, file: archive }, ['node_modules'])
  await rm(folder, { recursive: true })
  return archive
}

export async function toolStep(stage: Stage, lock: Lock, name: ToolName, platform: Platform): Promise<BundleStep> {
  const { version } = lock.tools[name]
  const url = toolUrl(lock, name, platform)
  const path = `tools/${platform.os}-${platform.arch}/${name}-${version}/${url.pathname.split('/').at(-1)}`
  const known = knownDigest({ url, sha256: pinnedToolDigest(lock, name, platform) })
  const member = stage.member(path)
  const staged = member?.sha256 === known?.digest ? member : undefined
  return {
    group: `Programs for ${platformName(platform)}`,
    name: `${name} ${version}`,
    from: staged ? 'earlier' : 'network',
    bytes: staged ? staged.size : await downloadSize(url),
    run: async () => {
      if (!staged) {
        const file = stage.temporaryFile()
        await downloadToolArchive(lock, name, platform, file)
        await stage.addMember(file, path)
      }
      return { tools: [{ name, version, platform: platformName(platform), path }] }
    },
  }
}

export async function chartStep(stage: Stage, lock: Lock, name: ChartName): Promise<BundleStep> {
  const { version } = lock.charts[name]
  const path = `charts/${name}-${version}.tgz`
  const isStored = await verifyStoredChart(lock, name)
  return {
    group: 'Charts',
    name: `${name} ${version}`,
    from: isStored ? 'here' : 'network',
    bytes: isStored ? (await stat(chartFile(lock, name))).size : await downloadSize(chartUrl(lock, name)),
    run: async () => {
      await ensureCharts(lock, [name])
      const file = stage.temporaryFile()
      await copyFile(chartFile(lock, name), file)
      await stage.addMember(file, path)
      return { charts: [{ name, version, path }] }
    },
  }
}

/** Returns the steps for the images of this machine's engine. Missing images are pulled first, as `lab up` would. */
export async function ownImageSteps(
  stage: Stage,
  images: readonly LockedImage[],
  platform: string,
): Promise<BundleStep[]> {
  const onHost = await findDockerImages(images.map(imageRef))
  const sizes = await dockerImageSizes(images.map(imageRef).filter(ref => onHost.has(ref)))
  return mapConcurrently(images, image =>
    ownImageStep(stage, image, platform, onHost.get(imageRef(image)), sizes.get(imageRef(image))),
  )
}

async function ownImageStep(
  stage: Stage,
  image: LockedImage,
  platform: string,
  onHost: DockerImage | undefined,
  unpackedBytes: number | undefined,
): Promise<BundleStep> {
  const ref = imageRef(image)
  const key = stageKey(image, platform)
  const present = matchesLockedDigest(image, onHost) ? onHost : undefined
  const staged = stage.image(key)
  const run = async (): Promise<ManifestPart> => {
    if (!present) await pullImages([image], undefined, matchesLockedDigest)
    const packed = present ?? (await findDockerImages([ref])).get(ref)!
    if (staged?.source !== packed.id)
      stage.addImage(key, await packImage(stage, ref, imagePlatform(image, platform), packed.id))
    return imageEntry(stage, image, platform, expectedImageDigest(image) ?? registryDigest(image, packed))
  }
  const step = { group: `Images for ${platform}`, name: ref, run }
  if (staged && present && staged.source === present.id)
    return { ...step, from: 'earlier', bytes: stagedBytes(stage, imagePaths(staged)) }
  if (present) return { ...step, from: 'here', bytes: unpackedBytes }
  // An image that is not available fails later, when it is pulled
  const published = await findPublishedImage(image, platform).catch(() => undefined)
  return { ...step, from: 'network', bytes: published?.bytes }
}

/**
 * Returns the step for an image of another platform. It is pulled by its own digest and removed afterwards, so this
 * machine's images stay.
 */
export async function foreignImageStep(stage: Stage, image: LockedImage, platform: string): Promise<BundleStep> {
  const published = await findPublishedImage(image, platform)
  const earlier = stage.image(stageKey(image, platform))
  const staged = earlier?.source === published.name ? earlier : undefined
  return {
    group: `Images for ${platform}`,
    name: imageRef(image),
    from: staged ? 'earlier' : 'network',
    bytes: staged ? stagedBytes(stage, imagePaths(staged)) : published.bytes,
    run: async () => {
      if (!staged) await pullAndPack(stage, image, published, platform)
      return imageEntry(stage, image, platform, expectedImageDigest(image))
    },
  }
}

async function pullAndPack(
  stage: Stage,
  image: LockedImage,
  published: PublishedImage,
  platform: string,
): Promise<void> {
  const { name } = published
  const existing = await docker(['image', 'inspect', '--format', '{{.Id}}', name]).catch(() => undefined)
  await pullPublishedImage(image, published, platform)
  stage.addImage(stageKey(image, platform), await packImage(stage, name, imagePlatform(image, platform), name))
  if (existing === undefined) await docker(['image', 'rm', name]).catch(() => {})
}

const stageKey = (image: LockedImage, platform: string): string => `${platform} ${imageRef(image)}`

const stagedBytes = (stage: Stage, paths: readonly string[]): number => sum(paths.map(path => stage.member(path)?.size))

function imageEntry(stage: Stage, image: LockedImage, platform: string, digest: string | undefined): ManifestPart {
  const { config, layers } = stage.image(stageKey(image, platform))!
  return { images: [{ ref: imageRef(image), platform, ...(digest ? { digest } : {}), config, layers }] }
}
