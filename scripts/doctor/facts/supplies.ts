import { readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { imagesOf } from '../../../shared/lab-images.ts'
import { type ChartName, imageRef, type Lock, type LockedImage, type ToolName } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import type { Decision } from '../../kernel/decision.ts'
import { chartAddress, chartInPlace } from '../../supplies/charts.ts'
import { fileDigest, knownDigest } from '../../supplies/download.ts'
import { presentImages } from '../../supplies/images.ts'
import { expandAddress, thisPlatform } from '../../supplies/platform.ts'
import { findTool } from '../../supplies/tools.ts'
import { imageBytes } from './image-sizes.ts'

/** Something that the lab needs and may have to fetch. */
export interface Supply {
  name: string
  here: boolean
  /** Where it comes from when it is not here. */
  host: string
}

/** An image, and what it weighs, in bytes: about. */
export interface ImageSupply extends Supply {
  platforms: readonly string[]
  /** The node takes a copy of it; of its own it takes none. */
  copied: boolean
  packed: number
  unpacked: number
}

/** What the lab needs, and what of it is here. */
export interface SupplyFacts {
  tools: Supply[]
  charts: Supply[]
  /** Charts in folders that are no longer what they were. */
  changedCharts: { name: string; found: string; known: string }[]
  /** None where no engine answers that could have them. */
  images: ImageSupply[]
  /** Programs of Pulumi whose pinned version is not that of the npm package that speaks to it. */
  strangers: { name: string; pinned: string; npm: string }[]
}

/** What of programs and charts is here, and where the rest comes from. */
export async function gatherFiles(
  lock: Lock,
  charts: readonly ChartName[],
  tools: readonly ToolName[],
): Promise<Pick<SupplyFacts, 'tools' | 'charts'>> {
  const places = supported() ? thisPlatform() : {}
  const [readyTools, readyCharts] = await Promise.all([
    Promise.all(tools.map(name => findTool(lock, name))),
    Promise.all(
      charts.map(
        async name => (await chartInPlace(lock, name)) !== undefined || (await isAtHand(chartAddress(lock, name))),
      ),
    ),
  ])
  return {
    tools: tools.map((name, at) => {
      const { url, version } = lock.tools[name]
      return {
        name: `${name} ${version}`,
        here: readyTools[at] !== undefined,
        host: url ? hostOf(expandAddress(url, lock.file, { ...places, version })) : '',
      }
    }),
    charts: charts.map((name, at) => ({
      name: `${name} ${lock.charts[name].version}`,
      here: readyCharts[at]!,
      host: hostOf(chartAddress(lock, name)),
    })),
  }
}

/**
 * What of a lab's images the engine has, and where the rest comes from.
 * @param patience milliseconds that the engine may take.
 * @throws LabError when it takes longer.
 */
export async function gatherImages(
  settings: Settings,
  lock: Lock,
  kernel: Decision,
  patience: number,
): Promise<ImageSupply[]> {
  const source = settings.tetragon.source === 'auto' ? kernel.source : settings.tetragon.source
  const names = ['node image' as const, ...imagesOf({ settings, source })]
  const image = (name: (typeof names)[number]): LockedImage =>
    name === 'node image' ? lock.nodeImage : lock.images[name]
  const held = await presentImages(
    names.map(name => imageRef(image(name))),
    { timeout: patience },
  )
  return names.map(name => ({
    name: imageRef(image(name)),
    here: held.has(imageRef(image(name))),
    host: registryHost(image(name)),
    platforms: image(name).platforms ?? ['linux/amd64', 'linux/arm64'],
    copied: name !== 'node image',
    ...imageBytes(name),
  }))
}

const supported = (): boolean => process.platform === 'linux' || process.platform === 'darwin'

/** In a folder of this machine, and there. */
const isAtHand = async (url: URL): Promise<boolean> => url.protocol === 'file:' && (await isFile(fileURLToPath(url)))

const hostOf = (url: URL): string => (url.protocol === 'file:' ? '' : url.host)

/** Docker's own registry answers under another name than its images bear. */
function registryHost(image: LockedImage): string {
  const registry = image.repository.slice(0, image.repository.indexOf('/'))
  return registry === 'docker.io' ? 'registry-1.docker.io' : registry
}

const isFile = (file: string): Promise<boolean> =>
  stat(file).then(
    found => found.isFile(),
    () => false,
  )

/** A chart that comes from a folder is at hand: whether it still is what the lock or memory says can be seen at once. */
export async function findChangedCharts(
  lock: Lock,
  names: readonly ChartName[],
): Promise<SupplyFacts['changedCharts']> {
  const changed = await Promise.all(
    names.map(async name => {
      const { version, sha256 } = lock.charts[name]
      const url = chartAddress(lock, name)
      const known = knownDigest({ url, sha256 })
      if (!known || !(await isAtHand(url))) return undefined
      const found = await fileDigest(fileURLToPath(url))
      return found === known.digest ? undefined : { name: `${name} ${version}`, found, known: known.digest }
    }),
  )
  return changed.filter(chart => chart !== undefined)
}

const packages = {
  pulumi: '@pulumi/pulumi',
  'pulumi-resource-command': '@pulumi/command',
  'pulumi-resource-kubernetes': '@pulumi/kubernetes',
} as const

export function findVersionMismatches(lock: Lock): SupplyFacts['strangers'] {
  return Object.entries(packages).flatMap(([name, packageName]) => {
    const text = readFileSync(join(projectDir, 'node_modules', packageName, 'package.json'), 'utf8')
    const npm = (JSON.parse(text) as { version: string }).version
    const pinned = lock.tools[name as keyof typeof packages].version
    return pinned === npm ? [] : [{ name, pinned, npm }]
  })
}
