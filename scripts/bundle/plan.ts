import { copyFile, mkdir, rm, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { execa } from 'execa'
import pLimit from 'p-limit'
import lockfile from 'proper-lockfile'
import { create } from 'tar'
import { LabError } from '../../shared/lab-error.ts'
import { imagesOf } from '../../shared/lab-images.ts'
import {
  type ChartName,
  chartFile,
  chartNames,
  imageNames,
  imageRef,
  type Lock,
  type LockedImage,
  type ToolName,
  toolNames,
} from '../../shared/lock.ts'
import { projectDir } from '../../shared/paths.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { freeBytes } from '../engine/disk.ts'
import { docker } from '../engine/docker.ts'
import { chartAddress, chartInPlace, chartsOf, ensureCharts } from '../supplies/charts.ts'
import { fileDigest, knownDigest, sizeAt } from '../supplies/download.ts'
import {
  enginePlatform,
  type HeldImage,
  imageSizes,
  isCertain,
  type Published,
  presentImages,
  publishedFor,
  publishedPlatform,
  pullAll,
  pullPublished,
  registryDigest,
  wantedDigest,
} from '../supplies/images.ts'
import { type Platform, parsePlatform, platformName, thisPlatform } from '../supplies/platform.ts'
import { fetchToolArchive, toolAddress } from '../supplies/tools.ts'
import { sizeText } from '../terminal/size-text.ts'
import { packImage } from './image-archive.ts'
import { type Manifest, packagesPath, pathsOf } from './manifest.ts'
import { Stage } from './stage.ts'

/** What a bundle is to be. */
export interface Wish {
  /** Where it is written to. */
  file: string
  /** Machines that it is for; without any, for machines like this one. */
  platforms: readonly Platform[]
  /** Also the charts and images that only other settings would ask for. */
  all: boolean
}

/** One thing that is put into a bundle. */
export interface Step {
  /** For a title: `Programs for linux/amd64`. */
  group: string
  name: string
  /** Where it comes from: collected by an earlier run, on this machine, or to be fetched. */
  from: 'earlier' | 'here' | 'network'
  /** Bytes to be fetched, or those of an image on this machine, unpacked; absent where nobody says it beforehand. */
  bytes?: number | undefined
  /** Puts it into the folder, and says what of the manifest it is. */
  run: () => Promise<Part>
}
/** What of a manifest a step has made. */
export type Part = Partial<Pick<Manifest, 'tools' | 'charts' | 'images' | 'packages'>>

/** What making a bundle will take. */
export interface Plan {
  file: string
  platforms: string[]
  steps: Step[]
  /** Bytes to be fetched, as far as they are known, and how many things are of unknown size. */
  fetch: { bytes: number; unknown: number }
  /** Bytes on the disk of the bundle, about. */
  bytes: number
  stage: Stage
  lock: Lock
  release: () => Promise<void>
}

/** Gzip makes of an image's layers about this part of what they take unpacked. */
const packed = 0.42
/** Bytes of the npm packages, packed; they come from npm's own store where it has them. */
const packagesBytes = 26e6

/**
 * Finds out what has to be fetched and packed, and how much that is, without beginning.
 * @throws LabError when something cannot be had at all, there is no room for it, or another is making this very bundle.
 */
export async function planBundle(wish: Wish, settings: Settings, lock: Lock): Promise<Plan> {
  const file = resolve(wish.file)
  await stat(dirname(file)).catch(() => {
    throw new LabError({
      found: `no folder ${dirname(file)}`,
      expected: 'one to write the bundle into',
      next: `mkdir -p ${dirname(file)}`,
    })
  })
  const release = await only(file)
  try {
    const stage = await Stage.open(partsOf(file))
    const engine = await enginePlatform()
    const machines = wish.platforms.length > 0 ? wish.platforms : [thisPlatform()]
    const engines = wish.platforms.length > 0 ? [...new Set(machines.map(({ arch }) => `linux/${arch}`))] : [engine]
    // This machine's first: the digests that its images have are those that the others must have
    engines.sort((a, b) => Number(b === engine) - Number(a === engine))
    const charts = wish.all ? chartNames : chartsOf(settings)
    const steps = [
      await packages(stage),
      ...(await each(machines, machine => each(toolNames, name => tool(stage, lock, name, machine)))).flat(),
      ...(await each(charts, name => chart(stage, lock, name))),
    ]
    for (const platform of engines) {
      const images = [lock.nodeImage, ...imagesFor(settings, lock, platform, wish.all)]
      steps.push(
        ...(platform === engine
          ? await ownImages(stage, images, platform)
          : await each(images, image => foreignImage(stage, image, platform))),
      )
    }
    const fetched = steps.filter(({ from }) => from === 'network')
    const plan = {
      file,
      platforms: machines.map(platformName),
      steps,
      fetch: {
        bytes: sum(fetched.map(({ bytes }) => bytes)),
        unknown: fetched.filter(({ bytes }) => bytes === undefined).length,
      },
      bytes: sum(steps.map(({ from, bytes = 0 }) => (from === 'here' ? bytes * packed : bytes))),
      stage,
      lock,
      release,
    }
    await requireRoom(plan)
    return plan
  } catch (error) {
    await release()
    throw error
  }
}

const partsOf = (file: string): string => `${file}.parts`

export const sum = (numbers: readonly (number | undefined)[]): number =>
  numbers.reduce<number>((all, one) => all + (one ?? 0), 0)

/** Each asked for its size: a few at a time. */
const each = <T, R>(things: readonly T[], ask: (thing: T) => Promise<R>): Promise<R[]> => {
  const atATime = pLimit(6)
  return Promise.all(things.map(thing => atATime(ask, thing)))
}

/** One at a time for a bundle. */
async function only(file: string): Promise<() => Promise<void>> {
  await mkdir(partsOf(file), { recursive: true, mode: 0o700 })
  // A laptop that slept meanwhile has not been overtaken by anybody
  return lockfile.lock(partsOf(file), { onCompromised: () => {} }).catch((cause: unknown) => {
    throw new LabError({
      found: `another lab bundle create is making ${file}`,
      expected: 'one at a time',
      next: 'wait for it; if it was killed: the same again in ten seconds',
      cause,
    })
  })
}

/** Twice: the files by themselves, and all of them in one. */
async function requireRoom({ file, bytes, steps }: Pick<Plan, 'file' | 'bytes' | 'steps'>): Promise<void> {
  const collected = sum(steps.filter(({ from }) => from === 'earlier').map(step => step.bytes))
  const needed = 2 * bytes - collected
  const free = await freeBytes(dirname(file))
  if (free !== undefined && free < needed)
    throw new LabError({
      found: `${sizeText(free)} free in ${dirname(file)}`,
      expected: `about ${sizeText(needed)} to make a bundle of ${sizeText(bytes)}`,
      next: 'free some space, or name a file on another disk',
    })
}

/** The images that a lab may ask for: which of the sources it will have is decided by the kernel of the machine that loads the bundle. */
function imagesFor(settings: Settings, lock: Lock, platform: string, all: boolean): LockedImage[] {
  const sources = settings.tetragon.source === 'auto' ? (['live', 'replay'] as const) : [settings.tetragon.source]
  const asked = new Set(sources.flatMap(source => imagesOf({ settings, source })))
  return imageNames
    .filter(name => asked.has(name) || (all && publishedPlatform(lock.images[name], platform) === platform))
    .map(name => lock.images[name])
}

// --- What each thing takes

async function packages(stage: Stage): Promise<Step> {
  const path = packagesPath(await fileDigest(join(projectDir, 'package-lock.json')))
  const kept = stage.member(path)
  return {
    group: 'npm packages',
    name: path,
    from: kept ? 'earlier' : 'network',
    bytes: kept?.size ?? packagesBytes,
    run: async () => {
      if (!kept) await stage.keep(await npmInstall(stage), path)
      return { packages: path }
    },
  }
}

/** Installed anew, without what only the lab's own tests need: what is in this checkout may have been changed. */
async function npmInstall(stage: Stage): Promise<string> {
  const folder = stage.part()
  await mkdir(folder)
  for (const name of ['package.json', 'package-lock.json']) await copyFile(join(projectDir, name), join(folder, name))
  const { failed, stderr, code } = await execa(
    'npm',
    ['ci', '--omit=dev', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: folder, reject: false },
  )
  if (failed)
    throw new LabError({
      found: `npm ci failed: ${code === 'ENOENT' ? 'no npm on PATH' : stderr.trim().split('\n')[0]}`,
      expected: 'a registry that npm reaches',
      next: 'check the network (npm config get registry), then repeat: what was collected is kept',
    })
  const archive = stage.part()
  await create({ gzip: true, portable: true, cwd: folder, file: archive }, ['node_modules'])
  await rm(folder, { recursive: true })
  return archive
}

async function tool(stage: Stage, lock: Lock, name: ToolName, platform: Platform): Promise<Step> {
  const { version, sha256 } = lock.tools[name]
  const url = toolAddress(lock, name, platform)
  const path = `tools/${platform.os}-${platform.arch}/${name}-${version}/${url.pathname.split('/').at(-1)}`
  const known = knownDigest({ url, sha256: sha256[`${platform.os}-${platform.arch}`] })
  const kept = stage.member(path)
  const there = kept !== undefined && kept.sha256 === known?.digest
  return {
    group: `Programs for ${platformName(platform)}`,
    name: `${name} ${version}`,
    from: there ? 'earlier' : 'network',
    bytes: there ? kept.size : await sizeAt(url),
    run: async () => {
      if (!there) {
        const part = stage.part()
        await fetchToolArchive(lock, name, platform, part)
        await stage.keep(part, path)
      }
      return { tools: [{ name, version, platform: platformName(platform), path }] }
    },
  }
}

async function chart(stage: Stage, lock: Lock, name: ChartName): Promise<Step> {
  const { version } = lock.charts[name]
  const path = `charts/${name}-${version}.tgz`
  const here = await chartInPlace(lock, name)
  return {
    group: 'Charts',
    name: `${name} ${version}`,
    from: here ? 'here' : 'network',
    bytes: here ? (await stat(chartFile(lock, name))).size : await sizeAt(chartAddress(lock, name)),
    run: async () => {
      await ensureCharts(lock, [name])
      const part = stage.part()
      await copyFile(chartFile(lock, name), part)
      await stage.keep(part, path)
      return { charts: [{ name, version, path }] }
    },
  }
}

/** Images for this machine's engine: what Docker has is packed, the rest is pulled first, as `lab up` would. */
async function ownImages(stage: Stage, images: readonly LockedImage[], platform: string): Promise<Step[]> {
  const held = await presentImages(images.map(imageRef))
  const sizes = await imageSizes(images.map(imageRef).filter(ref => held.has(ref)))
  return each(images, async image => {
    const ref = imageRef(image)
    const key = `${platform} ${ref}`
    const present = held.get(ref)
    const here = isCertain(image, present)
    const kept = stage.image(key)
    const there = here && kept?.is === present!.id
    const step = { group: `Images for ${platform}`, name: ref }
    const pack = async ({ id }: HeldImage): Promise<void> => {
      if (kept?.is !== id) stage.keepImage(key, await packImage(stage, ref, publishedPlatform(image, platform), id))
    }
    const run = async (): Promise<Part> => {
      if (!here) await pullAll([image], undefined, isCertain)
      const now = here ? present! : (await presentImages([ref])).get(ref)!
      await pack(now)
      return bundled(stage, image, platform, wantedDigest(image) ?? registryDigest(image, now))
    }
    if (there) return { ...step, from: 'earlier', bytes: collected(stage, pathsOf(kept)), run }
    if (here) return { ...step, from: 'here', bytes: sizes.get(ref), run }
    // If it cannot be had, pulling it will say so
    const published = await publishedFor(image, platform).catch(() => undefined)
    return { ...step, from: 'network', bytes: published?.bytes, run }
  })
}

/** An image for another engine than this machine's. It is pulled by a digest of its own and goes again, so that no image of this machine's is replaced. */
async function foreignImage(stage: Stage, image: LockedImage, platform: string): Promise<Step> {
  const key = `${platform} ${imageRef(image)}`
  const published = await publishedFor(image, platform)
  const kept = stage.image(key)
  const there = kept?.is === published.name
  return {
    group: `Images for ${platform}`,
    name: imageRef(image),
    from: there ? 'earlier' : 'network',
    bytes: there ? collected(stage, pathsOf(kept)) : published.bytes,
    run: async () => {
      if (!there) await pullAndPack(stage, image, published, platform, key)
      return bundled(stage, image, platform, wantedDigest(image))
    },
  }
}

async function pullAndPack(
  stage: Stage,
  image: LockedImage,
  published: Published,
  platform: string,
  key: string,
): Promise<void> {
  const { name } = published
  const before = await docker(['image', 'inspect', '--format', '{{.Id}}', name]).catch(() => undefined)
  await pullPublished(image, published, platform)
  stage.keepImage(key, await packImage(stage, name, publishedPlatform(image, platform), name))
  if (before === undefined) await docker(['image', 'rm', name]).catch(() => {})
}

const collected = (stage: Stage, paths: readonly string[]): number => sum(paths.map(path => stage.member(path)?.size))

function bundled(stage: Stage, image: LockedImage, platform: string, digest: string | undefined): Part {
  const ref = imageRef(image)
  const { config, layers } = stage.image(`${platform} ${ref}`)!
  return { images: [{ ref, platform, ...(digest ? { digest } : {}), config, layers }] }
}

/** Reads `--platform`. @throws LabError for a name that is none. */
export const parsePlatforms = (text: string): Platform[] =>
  [...new Set(text.split(',').map(name => name.trim()))].filter(Boolean).map(parsePlatform)
