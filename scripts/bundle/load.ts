import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { LabError } from '../../shared/lab-error.ts'
import { chartFile, imageRef, type Lock, type LockedImage } from '../../shared/lock.ts'
import { labDir, labPath } from '../../shared/paths.ts'
import { freeBytes } from '../engine/disk.ts'
import { engineFacts } from '../engine/engine-facts.ts'
import { chartAddress, chartInPlace } from '../supplies/charts.ts'
import { knownDigest } from '../supplies/download.ts'
import { type HeldImage, isCertain, loadedAs, presentImages, wantedDigest } from '../supplies/images.ts'
import { platformName, thisPlatform } from '../supplies/platform.ts'
import { remember, remembered } from '../supplies/remembered-digests.ts'
import { findTool, installTool, toolAddress } from '../supplies/tools.ts'
import { sizeText } from '../terminal/size-text.ts'
import { unpackImage } from './image-archive.ts'
import { type BundledImage, type Manifest, pathsOf } from './manifest.ts'
import { type Bundle, openBundle, verified } from './open.ts'
import { differing, pinsOf } from './pins.ts'
import { counter, type Show, unseen } from './progress.ts'

/** What loading a bundle will do on this machine. */
export interface LoadPlan {
  bundle: Bundle
  lock: Lock
  /** What is not there yet. */
  tools: Manifest['tools']
  charts: Manifest['charts']
  images: BundledImage[]
  /** How many things are there already. */
  there: number
  /** Bytes of the bundle that have to be read. */
  bytes: number
  /** Bytes that it takes on the disk, programs and images unpacked. */
  unpacked: number
}

/** What has been loaded. */
export interface LoadResult {
  file: string
  tools: string[]
  charts: string[]
  images: string[]
  /** How many things were there already. */
  there: number
  seconds: number
}

/** Programs take on the disk about this many times what they take packed. */
const toolsUnpacked = 4

/**
 * Opens a bundle and finds out what of it this machine lacks, without beginning.
 * @throws LabError for a file that is no whole bundle, is for other machines or another lock, or for which there is no room.
 */
export async function planLoad(file: string, lock: Lock): Promise<LoadPlan> {
  const bundle = await openBundle(file)
  const { manifest } = bundle
  const engine = await engineFacts(10_000)
  if ('problem' in engine) throw engine.problem
  const machine = platformName(thisPlatform())
  // Node is there: it runs this
  const tools = manifest.tools.filter(({ platform, name }) => platform === machine && name !== 'node')
  const images = manifest.images.filter(({ platform }) => platform === engine.platform)
  if (tools.length === 0 || images.length === 0) throw otherPlatform(bundle, machine, engine.platform)
  requireSameLock(bundle, lock)

  const locked = lockedImages(lock)
  const held = await presentImages(images.map(({ ref }) => ref))
  const missing = {
    tools: await lacking(tools, async ({ name }) => (await findTool(lock, name)) !== undefined),
    charts: await lacking(manifest.charts, async ({ name }) => (await chartInPlace(lock, name)) !== undefined),
    images: images.filter(image => !isThere(image, locked.get(image.ref)!, held.get(image.ref))),
  }
  requireSameDigests(bundle, lock, missing)
  const size = (path: string): number => manifest.members[path]!.size
  const layers = [...new Set(missing.images.flatMap(pathsOf))]
  const own = [...missing.tools, ...missing.charts].reduce((sum, { path }) => sum + size(path), 0)
  const plan = {
    bundle,
    lock,
    ...missing,
    there:
      tools.length +
      manifest.charts.length +
      images.length -
      (missing.tools.length + missing.charts.length + missing.images.length),
    bytes: own + layers.reduce((sum, path) => sum + size(path), 0),
    unpacked: own * toolsUnpacked + layers.reduce((sum, path) => sum + (manifest.unpacked[path] ?? 0), 0),
  }
  await requireRoom(own * toolsUnpacked, labDir())
  if (engine.local) await requireRoom(plan.unpacked, engine.dataRoot)
  return plan
}

async function lacking<T>(things: readonly T[], isHere: (thing: T) => Promise<boolean>): Promise<T[]> {
  const here = await Promise.all(things.map(isHere))
  return things.filter((_, at) => !here[at])
}

const lockedImages = (lock: Lock): Map<string, LockedImage> =>
  new Map([lock.nodeImage, ...Object.values(lock.images)].map(image => [imageRef(image), image]))

/** Whether what Docker has under the image's name is that image, or another that the lock means all the same. */
function isThere({ config, digest }: BundledImage, locked: LockedImage, held: HeldImage | undefined): boolean {
  if (!held) return false
  const id = `sha256:${config.replace(/^.*\/|\.json$/g, '')}`
  const wanted = wantedDigest(locked) ?? digest
  return held.id === id || (wanted !== undefined && isCertain({ ...locked, digest: wanted }, held))
}

function otherPlatform({ file, manifest }: Bundle, machine: string, engine: string): LabError {
  const here =
    machine.startsWith('linux/') || machine.split('/')[1] === engine.split('/')[1]
      ? machine
      : `${machine} with an engine of ${engine}`
  return new LabError({
    found: `${file} is for ${manifest.platforms.join(' and ')}`,
    expected: `${here}, which this machine is`,
    next: `where it was made: ./lab bundle create lab.bundle --platform ${[...new Set([...manifest.platforms, machine])].join(',')}`,
  })
}

function requireSameLock({ file, manifest }: Bundle, lock: Lock): void {
  const pins = pinsOf(lock)
  const [first, ...more] = differing(manifest.pins, pins)
  if (first === undefined) return
  throw new LabError({
    found: `${file} has ${manifest.pins[first] ?? 'nothing'} for ${first}`,
    expected: `${pins[first] ?? 'nothing'}, as in ${lock.file}${more.length > 0 ? ` (and ${more.length} more that differ)` : ''}`,
    next: 'the checkout and the lock (--lock FILE) with which it was made, or a bundle made with these',
  })
}

/** What this lock or this machine knows of a thing, the bundle must not contradict. */
function requireSameDigests(
  { file, manifest }: Bundle,
  lock: Lock,
  { tools, charts, images }: Pick<LoadPlan, 'tools' | 'charts' | 'images'>,
): void {
  const { os, arch } = thisPlatform()
  const claims = [
    ...tools.map(({ name, version, path }) => ({
      what: `${name} ${version}`,
      is: manifest.members[path]!.sha256,
      known: knownDigest({
        url: toolAddress(lock, name, thisPlatform()),
        sha256: lock.tools[name].sha256[`${os}-${arch}`],
      }),
    })),
    ...charts.map(({ name, version, path }) => ({
      what: `chart ${name} ${version}`,
      is: manifest.members[path]!.sha256,
      known: knownDigest({ url: chartAddress(lock, name), sha256: lock.charts[name].sha256 }),
    })),
    ...images.map(({ ref, digest }) => ({
      what: ref,
      is: digest ?? 'no digest',
      known: knownImage(lockedImages(lock).get(ref)!),
    })),
  ]
  for (const { what, is, known } of claims)
    if (known && known.digest !== is)
      throw new LabError({
        found: `${file} holds ${what} with ${is}`,
        expected: `${known.digest}, the digest ${known.trust === 'pinned' ? 'in the lock' : 'seen before'}`,
        next:
          known.trust === 'pinned'
            ? 'ask who made the bundle; do not load it'
            : `if the change is known and right, remove the line of ${what} from ${labDir()}/remembered.json`,
      })
}

function knownImage(image: LockedImage): ReturnType<typeof knownDigest> {
  if (image.digest) return { digest: image.digest, trust: 'pinned' }
  const digest = remembered(imageRef(image))
  return digest ? { digest, trust: 'remembered' } : undefined
}

async function requireRoom(needed: number, folder: string): Promise<void> {
  const free = await freeBytes(folder)
  if (free === undefined || free >= needed) return
  throw new LabError({
    found: `${sizeText(free)} free in ${folder}`,
    expected: `${sizeText(needed)} for what the bundle brings`,
    next: 'free some space (docker system prune), then repeat',
  })
}

// --- Loading it

/**
 * Puts what is missing where `lab up` expects it. Each thing is verified before it is put in place, and stays when this is cut off.
 * @param show runs each part of the work, so that a person sees what it is at
 * @throws LabError for what is not as it was packed, or finds no room.
 */
export async function loadBundle(plan: LoadPlan, show: Show = unseen): Promise<LoadResult> {
  const began = performance.now()
  const { bundle, tools, charts, images, there } = plan
  try {
    if (charts.length + tools.length > 0) await show('Charts and programs', () => putFiles(plan))
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? noRoom(error) : error
  }
  if (images.length > 0) await show('Images', say => putImages(plan, say))
  return {
    file: bundle.file,
    tools: tools.map(({ name }) => name),
    charts: charts.map(({ name }) => name),
    images: images.map(({ ref }) => ref),
    there,
    seconds: (performance.now() - began) / 1000,
  }
}

async function putFiles({ bundle, lock, tools, charts }: LoadPlan): Promise<void> {
  const digestOf = (path: string): string => bundle.manifest.members[path]!.sha256
  const machine = thisPlatform()
  for (const { name, path } of charts) {
    await copyOut(bundle, path, chartFile(lock, name))
    if (!lock.charts[name].sha256) await remember({ [chartAddress(lock, name).href]: digestOf(path) })
  }
  for (const { name, path } of tools) {
    const archive = labPath('tools', `.bundle-${name}.${process.pid}`)
    try {
      await copyOut(bundle, path, archive)
      await installTool(lock, name, archive)
    } finally {
      await rm(archive, { force: true })
    }
    if (!lock.tools[name].sha256[`${machine.os}-${machine.arch}`])
      await remember({ [toolAddress(lock, name, machine).href]: digestOf(path) })
  }
}

async function putImages({ bundle, lock, images }: LoadPlan, say: (line: string) => void): Promise<void> {
  const sizeOf = (path: string): number => bundle.manifest.members[path]!.size
  const sound = new Set<string>()
  const locked = lockedImages(lock)
  const count = counter(
    [...new Set(images.flatMap(pathsOf))].reduce((sum, path) => sum + sizeOf(path), 0),
    say,
  )
  for (const image of images) {
    for (const path of pathsOf(image).filter(path => !sound.has(path))) {
      // Before Docker sees any of it
      for await (const _ of verified(bundle, path));
      sound.add(path)
      count(sizeOf(path))
    }
    await unpackImage(image, path => ({ size: sizeOf(path), content: bundle.read(path) }))
    await settle(image, locked.get(image.ref)!)
  }
}

/** Sees that an image has arrived, and remembers as what: a registry's digest does not come along with it. */
async function settle({ ref, digest }: BundledImage, locked: LockedImage): Promise<void> {
  const held = (await presentImages([ref])).get(ref)
  if (!held)
    throw new LabError({
      found: `${ref} did not arrive in Docker`,
      expected: 'an image that docker load takes',
      next: './lab doctor, then the same again',
    })
  if (!digest) return
  await remember({ [loadedAs(locked, digest)]: held.id, ...(locked.digest ? {} : { [ref]: digest }) })
}

/** Takes a member out, to where it belongs, at once and whole. */
async function copyOut(bundle: Bundle, path: string, to: string): Promise<void> {
  const part = `${to}.${process.pid}.part`
  try {
    await pipeline(verified(bundle, path), createWriteStream(part, { mode: 0o600 }))
    await rename(part, to)
  } finally {
    await rm(part, { force: true })
  }
}

const noRoom = (cause: unknown): LabError =>
  new LabError({
    found: `no room left in ${labDir()}`,
    expected: 'room for what the bundle brings',
    next: 'free some space, then repeat: what was loaded stays',
    cause,
  })
