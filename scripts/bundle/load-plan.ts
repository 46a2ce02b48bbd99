import { LabError } from '../../shared/lab-error.ts'
import { imageRef, type Lock, type LockedImage } from '../../shared/lock.ts'
import { labDir } from '../../shared/paths.ts'
import { freeBytes } from '../engine/disk.ts'
import { readEngineFacts } from '../engine/engine-facts.ts'
import { chartUrl, verifyStoredChart } from '../supplies/charts.ts'
import { type DockerImage, findDockerImages } from '../supplies/docker-images.ts'
import { knownDigest } from '../supplies/download.ts'
import { expectedImageDigest, matchesLockedDigest } from '../supplies/image-digests.ts'
import { platformName, thisPlatform } from '../supplies/platform.ts'
import { rememberedDigest } from '../supplies/remembered-digests.ts'
import { findTool, pinnedToolDigest, toolUrl } from '../supplies/tools.ts'
import { sizeText } from '../terminal/size-text.ts'
import { type BundledImage, differingPins, imagePaths, type Manifest, pinsOf, sizeOfMembers } from './manifest.ts'
import { type Bundle, openBundle } from './open.ts'

/** The contents of a bundle that are missing on this machine. */
export interface LoadPlan {
  bundle: Bundle
  lock: Lock
  tools: Manifest['tools']
  charts: Manifest['charts']
  images: BundledImage[]
  /** The number of programs, charts and images that are already here. */
  present: number
  /** Bytes to read from the bundle. */
  bytes: number
  /** Bytes on the disk, with programs and images unpacked. */
  unpacked: number
}

type Missing = Pick<LoadPlan, 'tools' | 'charts' | 'images'>

/** Unpacked size of programs as a multiple of their compressed size. */
const toolExpansion = 4

/**
 * Opens a bundle and finds out what this machine needs from it, without loading anything.
 * @throws LabError for a damaged bundle, one for other machines or another lock, or a disk that is too small.
 */
export async function planLoad(file: string, lock: Lock): Promise<LoadPlan> {
  const bundle = await openBundle(file)
  const { manifest } = bundle
  const engine = await readEngineFacts(10_000)
  if ('problem' in engine) throw engine.problem
  const machine = platformName(thisPlatform())
  // Without Node, which is running this program
  const tools = manifest.tools.filter(({ platform, name }) => platform === machine && name !== 'node')
  const images = manifest.images.filter(({ platform }) => platform === engine.platform)
  if (tools.length === 0 || images.length === 0) throw wrongPlatform(bundle, machine, engine.platform)
  requireSameLock(bundle, lock)

  const missing = await findMissing({ tools, charts: manifest.charts, images }, lock)
  requireSameDigests(bundle, lock, missing)
  const files = sizeOfMembers(
    manifest,
    [...missing.tools, ...missing.charts].map(({ path }) => path),
  )
  const layers = [...new Set(missing.images.flatMap(imagePaths))]
  const plan = {
    bundle,
    lock,
    ...missing,
    present: count({ tools, charts: manifest.charts, images }) - count(missing),
    bytes: files + sizeOfMembers(manifest, layers),
    unpacked: files * toolExpansion + layers.reduce((sum, path) => sum + (manifest.unpacked[path] ?? 0), 0),
  }
  await requireFreeSpace(files * toolExpansion, labDir())
  if (engine.local) await requireFreeSpace(plan.unpacked, engine.dataRoot)
  return plan
}

const count = ({ tools, charts, images }: Missing): number => tools.length + charts.length + images.length

async function findMissing({ tools, charts, images }: Missing, lock: Lock): Promise<Missing> {
  const locked = lockedImages(lock)
  const onHost = await findDockerImages(images.map(({ ref }) => ref))
  return {
    tools: await without(tools, async ({ name }) => (await findTool(lock, name)) !== undefined),
    charts: await without(charts, async ({ name }) => (await verifyStoredChart(lock, name)) !== undefined),
    images: images.filter(image => !isLoaded(image, locked.get(image.ref)!, onHost.get(image.ref))),
  }
}

async function without<T>(items: readonly T[], isPresent: (item: T) => Promise<boolean>): Promise<T[]> {
  const present = await Promise.all(items.map(isPresent))
  return items.filter((_, index) => !present[index])
}

/** Returns the images of a lock by repository and tag. */
export const lockedImages = (lock: Lock): Map<string, LockedImage> =>
  new Map([lock.nodeImage, ...Object.values(lock.images)].map(image => [imageRef(image), image]))

/** Returns whether the Docker host already has the image, or another with the digest in the lock. */
function isLoaded({ config, digest }: BundledImage, locked: LockedImage, onHost: DockerImage | undefined): boolean {
  if (!onHost) return false
  if (onHost.id === `sha256:${config.replace(/^.*\/|\.json$/g, '')}`) return true
  const expected = expectedImageDigest(locked) ?? digest
  return expected !== undefined && matchesLockedDigest({ ...locked, digest: expected }, onHost)
}

function wrongPlatform({ file, manifest }: Bundle, machine: string, engine: string): LabError {
  const sameArchitecture = machine.startsWith('linux/') || machine.split('/')[1] === engine.split('/')[1]
  const platforms = [...new Set([...manifest.platforms, machine])].join(',')
  return new LabError({
    found: `The bundle ${file} is for ${manifest.platforms.join(' and ')}`,
    expected: `${sameArchitecture ? machine : `${machine} with a ${engine} engine`}, which this machine is`,
    next: `on the machine that created it: ./lab bundle create lab.bundle --platform ${platforms}`,
  })
}

function requireSameLock({ file, manifest }: Bundle, lock: Lock): void {
  const pins = pinsOf(lock)
  const [first, ...more] = differingPins(manifest.pins, pins)
  if (first === undefined) return
  const others = more.length > 0 ? ` (${more.length} more differ)` : ''
  throw new LabError({
    found: `The bundle ${file} has ${manifest.pins[first] ?? 'nothing'} for ${first}`,
    expected: `${pins[first] ?? 'nothing'}, as in ${lock.file}${others}`,
    next: 'use the checkout and lock (--lock FILE) that created the bundle, or create one with these',
  })
}

interface Claim {
  what: string
  digest: string
  known: ReturnType<typeof knownDigest>
}

/** Rejects a bundle whose digests contradict the lock or an earlier download. */
function requireSameDigests({ file, manifest }: Bundle, lock: Lock, missing: Missing): void {
  const wrong = claimsOf(manifest, lock, missing).find(({ digest, known }) => known && known.digest !== digest)
  if (!wrong?.known) return
  const { what, digest, known } = wrong
  const pinned = known.trust === 'pinned'
  throw new LabError({
    found: `The bundle ${file} contains ${what} with ${digest}`,
    expected: `${known.digest}, the digest ${pinned ? 'in the lock' : 'of the first download'}`,
    next: pinned
      ? 'ask whoever created the bundle; do not load it'
      : `if the change is legitimate, remove the line of ${what} from ${labDir()}/remembered.json`,
  })
}

function claimsOf(manifest: Manifest, lock: Lock, { tools, charts, images }: Missing): Claim[] {
  const platform = thisPlatform()
  const locked = lockedImages(lock)
  return [
    ...tools.map(({ name, version, path }) => ({
      what: `${name} ${version}`,
      digest: manifest.members[path]!.sha256,
      known: knownDigest({
        url: toolUrl(lock, name, platform),
        sha256: pinnedToolDigest(lock, name, platform),
      }),
    })),
    ...charts.map(({ name, version, path }) => ({
      what: `chart ${name} ${version}`,
      digest: manifest.members[path]!.sha256,
      known: knownDigest({ url: chartUrl(lock, name), sha256: lock.charts[name].sha256 }),
    })),
    ...images.map(({ ref, digest }) => ({
      what: ref,
      digest: digest ?? 'no digest',
      known: knownImageDigest(locked.get(ref)!),
    })),
  ]
}

function knownImageDigest(image: LockedImage): ReturnType<typeof knownDigest> {
  if (image.digest) return { digest: image.digest, trust: 'pinned' }
  const digest = rememberedDigest(imageRef(image))
  return digest ? { digest, trust: 'remembered' } : undefined
}

async function requireFreeSpace(needed: number, folder: string): Promise<void> {
  const free = await freeBytes(folder)
  if (free === undefined || free >= needed) return
  throw new LabError({
    found: `Only ${sizeText(free)} is free in ${folder}`,
    expected: `${sizeText(needed)} for the contents of the bundle`,
    next: 'free some space (docker system prune), then repeat',
  })
}
