import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { LabError } from '../../shared/lab-error.ts'
import { chartFile, type LockedImage } from '../../shared/lock.ts'
import { labDir, labPath } from '../../shared/paths.ts'
import { chartUrl } from '../supplies/charts.ts'
import { findDockerImages } from '../supplies/docker-images.ts'
import { loadedImageKey } from '../supplies/image-digests.ts'
import { thisPlatform } from '../supplies/platform.ts'
import { rememberDigests } from '../supplies/remembered-digests.ts'
import { installTool, pinnedToolDigest, toolUrl } from '../supplies/tools.ts'
import { loadImageIntoDocker } from './image-archive.ts'
import { type LoadPlan, lockedImages } from './load-plan.ts'
import { type BundledImage, imagePaths, sizeOfMembers } from './manifest.ts'
import { type Bundle, readVerified } from './open.ts'
import { byteCounter, type ShowProgress, withoutProgress } from './progress.ts'

/** The loaded programs, charts and images. */
export interface LoadResult {
  file: string
  tools: string[]
  charts: string[]
  images: string[]
  /** The number of programs, charts and images that were already here. */
  there: number
  seconds: number
}

/**
 * Loads what the plan lists. Each file is verified before `lab up` can find it, and stays when a later one fails.
 * @throws LabError for a damaged member or a full disk.
 */
export async function loadBundle(plan: LoadPlan, show: ShowProgress = withoutProgress): Promise<LoadResult> {
  const start = performance.now()
  const { bundle, tools, charts, images, present } = plan
  try {
    if (charts.length > 0 || tools.length > 0)
      await show('Charts and programs', async () => {
        await loadCharts(plan)
        await loadTools(plan)
      })
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? diskFull(error) : error
  }
  if (images.length > 0) await show('Images', report => loadImages(plan, report))
  return {
    file: bundle.file,
    tools: tools.map(({ name }) => name),
    charts: charts.map(({ name }) => name),
    images: images.map(({ ref }) => ref),
    there: present,
    seconds: (performance.now() - start) / 1000,
  }
}

async function loadCharts({ bundle, lock, charts }: LoadPlan): Promise<void> {
  for (const { name, path } of charts) {
    await copyMember(bundle, path, chartFile(lock, name))
    if (!lock.charts[name].sha256)
      await rememberDigests({ [chartUrl(lock, name).href]: bundle.manifest.members[path]!.sha256 })
  }
}

async function loadTools({ bundle, lock, tools }: LoadPlan): Promise<void> {
  const platform = thisPlatform()
  for (const { name, path } of tools) {
    const archive = labPath('tools', `.bundle-${name}.${process.pid}`)
    try {
      await copyMember(bundle, path, archive)
      await installTool(lock, name, archive)
    } finally {
      await rm(archive, { force: true })
    }
    if (!pinnedToolDigest(lock, name, platform))
      await rememberDigests({ [toolUrl(lock, name, platform).href]: bundle.manifest.members[path]!.sha256 })
  }
}

async function loadImages({ bundle, lock, images }: LoadPlan, report: (line: string) => void): Promise<void> {
  const { manifest, read } = bundle
  const locked = lockedImages(lock)
  const verified = new Set<string>()
  const count = byteCounter(sizeOfMembers(manifest, [...new Set(images.flatMap(imagePaths))]), report)
  for (const image of images) {
    for (const path of imagePaths(image).filter(path => !verified.has(path))) {
      // Read once to verify it, before Docker receives any of it
      for await (const _ of readVerified(bundle, path));
      verified.add(path)
      count(sizeOfMembers(manifest, [path]))
    }
    await loadImageIntoDocker(image, path => ({ size: sizeOfMembers(manifest, [path]), content: read(path) }))
    await recordImage(image, locked.get(image.ref)!)
  }
}

/** Stores the id of a loaded image under its digest: `docker load` does not set the registry's digest. */
async function recordImage({ ref, digest }: BundledImage, locked: LockedImage): Promise<void> {
  const loaded = (await findDockerImages([ref])).get(ref)
  if (!loaded)
    throw new LabError({
      found: `Docker does not have ${ref} after docker load`,
      next: './lab doctor, then repeat',
    })
  if (!digest) return
  await rememberDigests({ [loadedImageKey(locked, digest)]: loaded.id, ...(locked.digest ? {} : { [ref]: digest }) })
}

/** Copies a member to a path, where it appears only when it is complete and verified. */
async function copyMember(bundle: Bundle, path: string, to: string): Promise<void> {
  const part = `${to}.${process.pid}.part`
  try {
    await pipeline(readVerified(bundle, path), createWriteStream(part, { mode: 0o600 }))
    await rename(part, to)
  } finally {
    await rm(part, { force: true })
  }
}

const diskFull = (cause: unknown): LabError =>
  new LabError({
    found: `The disk of ${labDir()} is full`,
    next: 'free some space, then repeat (loaded files are kept)',
    cause,
  })
