import { mkdir, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import lockfile from 'proper-lockfile'
import { LabError } from '../../shared/lab-error.ts'
import { imagesOf } from '../../shared/lab-images.ts'
import { chartNames, imageNames, type Lock, type LockedImage, toolNames } from '../../shared/lock.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { shellQuote } from '../../shared/shell-quote.ts'
import { freeBytes } from '../engine/disk.ts'
import { requiredCharts } from '../supplies/charts.ts'
import { enginePlatform, imagePlatform } from '../supplies/docker-images.ts'
import { type Platform, platformName, thisPlatform } from '../supplies/platform.ts'
import { sizeText } from '../terminal/size-text.ts'
import {
  type BundleStep,
  chartStep,
  foreignImageStep,
  mapConcurrently,
  ownImageSteps,
  packagesStep,
  sum,
  toolStep,
} from './create-steps.ts'
import { Stage } from './stage.ts'

export interface BundleRequest {
  /** Path of the bundle. */
  file: string
  /** Machines that it is for; empty for machines like this one. */
  platforms: readonly Platform[]
  /** Whether to include charts and images that only other settings need. */
  all: boolean
}

/** The steps that create a bundle, and how much they take. */
export interface BundlePlan {
  file: string
  platforms: string[]
  steps: BundleStep[]
  /** Bytes to download as far as known, and the number of downloads of unknown size. */
  fetch: { bytes: number; unknown: number }
  /** Approximate size of the bundle in bytes. */
  bytes: number
  stage: Stage
  lock: Lock
  /** Releases the bundle's lock. */
  release: () => Promise<void>
}

/** Compressed size of an image as a fraction of its unpacked size. */
const compressionRatio = 0.42

/**
 * Plans what to download and pack, and how much that is, without starting.
 * @throws LabError when something is not available, the disk is too small, or another process is creating the same
 * bundle.
 */
export async function planBundle(request: BundleRequest, settings: Settings, lock: Lock): Promise<BundlePlan> {
  const file = resolve(request.file)
  await requireFolder(dirname(file))
  const release = await lockBundle(file)
  try {
    const stage = await Stage.open(stageFolder(file))
    const machines = request.platforms.length > 0 ? request.platforms : [thisPlatform()]
    const steps = await planSteps(stage, request, machines, settings, lock)
    const downloads = steps.filter(({ from }) => from === 'network')
    const plan = {
      file,
      platforms: machines.map(platformName),
      steps,
      fetch: {
        bytes: sum(downloads.map(({ bytes }) => bytes)),
        unknown: downloads.filter(({ bytes }) => bytes === undefined).length,
      },
      bytes: sum(steps.map(({ from, bytes = 0 }) => (from === 'here' ? bytes * compressionRatio : bytes))),
      stage,
      lock,
      release,
    }
    await requireFreeSpace(plan)
    return plan
  } catch (error) {
    await release()
    throw error
  }
}

async function planSteps(
  stage: Stage,
  { platforms, all }: BundleRequest,
  machines: readonly Platform[],
  settings: Settings,
  lock: Lock,
): Promise<BundleStep[]> {
  const charts = all ? chartNames : requiredCharts(settings)
  const steps = [
    await packagesStep(stage),
    ...(
      await mapConcurrently(machines, m => mapConcurrently(toolNames, name => toolStep(stage, lock, name, m)))
    ).flat(),
    ...(await mapConcurrently(charts, name => chartStep(stage, lock, name))),
  ]
  const engine = await enginePlatform()
  const engines = platforms.length > 0 ? [...new Set(machines.map(({ arch }) => `linux/${arch}`))] : [engine]
  // This machine's engine comes first: the digests of its images are required of the others
  engines.sort((a, b) => Number(b === engine) - Number(a === engine))
  for (const platform of engines) {
    const images = [lock.nodeImage, ...imagesFor(settings, lock, platform, all)]
    steps.push(
      ...(platform === engine
        ? await ownImageSteps(stage, images, platform)
        : await mapConcurrently(images, image => foreignImageStep(stage, image, platform))),
    )
  }
  return steps
}

/**
 * Returns the images that a lab may need. With `auto`, the kernel of the machine that loads the bundle decides on the
 * event source.
 */
function imagesFor(settings: Settings, lock: Lock, platform: string, all: boolean): LockedImage[] {
  const sources = settings.tetragon.source === 'auto' ? (['live', 'replay'] as const) : [settings.tetragon.source]
  const required = new Set(sources.flatMap(source => imagesOf({ settings, source })))
  return imageNames
    .filter(name => required.has(name) || (all && imagePlatform(lock.images[name], platform) === platform))
    .map(name => lock.images[name])
}

const stageFolder = (file: string): string => `${file}.parts`

async function requireFolder(folder: string): Promise<void> {
  await stat(folder).catch(() => {
    throw new LabError({ found: `The folder ${folder} does not exist`, next: `mkdir -p ${shellQuote(folder)}` })
  })
}

/** Locks the bundle against other processes. @returns a function that releases the lock. */
async function lockBundle(file: string): Promise<() => Promise<void>> {
  await mkdir(stageFolder(file), { recursive: true, mode: 0o700 })
  // After a laptop resumes from sleep, the lock may count as expired although no other process took it
  return lockfile.lock(stageFolder(file), { onCompromised: () => {} }).catch((cause: unknown) => {
    throw new LabError({
      found: `Another \`lab bundle create\` is writing ${file}`,
      next: 'wait for it to finish; if it was killed, repeat in 10 s',
      cause,
    })
  })
}

/** Requires space for the collected files and for the bundle, which is as large again. */
async function requireFreeSpace({ file, bytes, steps }: Pick<BundlePlan, 'file' | 'bytes' | 'steps'>): Promise<void> {
  const collected = sum(steps.filter(({ from }) => from === 'earlier').map(step => step.bytes))
  const needed = 2 * bytes - collected
  const free = await freeBytes(dirname(file))
  if (free !== undefined && free < needed)
    throw new LabError({
      found: `Only ${sizeText(free)} is free in ${dirname(file)}`,
      expected: `about ${sizeText(needed)} to create a bundle of ${sizeText(bytes)}`,
      next: 'free some space, or use a file on another disk',
    })
}
