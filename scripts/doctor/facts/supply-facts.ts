import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { EventSource } from '../../../shared/lab.ts'
import { imagesOf } from '../../../shared/lab-images.ts'
import { type ChartName, imageRef, type Lock, type LockedImage, type ToolName } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'
import type { Settings } from '../../../shared/settings/schema.ts'
import { chartUrl, verifyStoredChart } from '../../supplies/charts.ts'
import { findDockerImages } from '../../supplies/docker-images.ts'
import { fileDigest, isFile, knownDigest } from '../../supplies/download.ts'
import { expandUrl, thisPlatform } from '../../supplies/platform.ts'
import { findTool } from '../../supplies/tools.ts'
import { imageSize } from './image-sizes.ts'

/** A file or image that the lab needs and may have to download. */
export interface Supply {
  name: string
  present: boolean
  /** The host to download it from; empty where there is none. */
  host: string
}

/** An image with its approximate size. */
export interface ImageSupply extends Supply {
  platforms: readonly string[]
  /** The node holds a copy of it. It has none of the node image. */
  copied: boolean
  downloadBytes: number
  diskBytes: number
}

/** What the lab needs, and what of it is present. */
export interface SupplyFacts {
  tools: Supply[]
  charts: Supply[]
  /** Charts in local folders whose digest is not the known one. */
  changedCharts: { name: string; found: string; known: string }[]
  /** Empty where no engine responds. */
  images: ImageSupply[]
  /** Pulumi programs whose pinned version differs from that of their npm package. */
  versionMismatches: { name: string; pinned: string; npm: string }[]
}

/** Finds the tools and charts that are present, and the hosts of the others. */
export async function fileSupplies(
  lock: Lock,
  charts: readonly ChartName[],
  tools: readonly ToolName[],
): Promise<Pick<SupplyFacts, 'tools' | 'charts'>> {
  const platform = isSupported() ? thisPlatform() : {}
  const [presentTools, presentCharts] = await Promise.all([
    Promise.all(tools.map(async name => (await findTool(lock, name)) !== undefined)),
    Promise.all(
      charts.map(
        async name => (await verifyStoredChart(lock, name)) !== undefined || (await isLocalFile(chartUrl(lock, name))),
      ),
    ),
  ])
  return {
    tools: tools.map((name, index) => {
      const { url, version } = lock.tools[name]
      return {
        name: `${name} ${version}`,
        present: presentTools[index]!,
        host: url ? hostOf(expandUrl(url, lock.file, { ...platform, version })) : '',
      }
    }),
    charts: charts.map((name, index) => ({
      name: `${name} ${lock.charts[name].version}`,
      present: presentCharts[index]!,
      host: hostOf(chartUrl(lock, name)),
    })),
  }
}

/**
 * Finds the images that the engine has, and the registries of the others.
 * @throws LabError when the engine takes longer than the timeout.
 */
export async function imageSupplies(
  settings: Settings,
  lock: Lock,
  source: EventSource,
  timeoutMs: number,
): Promise<ImageSupply[]> {
  const names = ['node image' as const, ...imagesOf({ settings, source })]
  const image = (name: (typeof names)[number]): LockedImage =>
    name === 'node image' ? lock.nodeImage : lock.images[name]
  const present = await findDockerImages(
    names.map(name => imageRef(image(name))),
    { timeout: timeoutMs },
  )
  return names.map(name => ({
    name: imageRef(image(name)),
    present: present.has(imageRef(image(name))),
    host: registryHost(image(name)),
    platforms: image(name).platforms ?? ['linux/amd64', 'linux/arm64'],
    copied: name !== 'node image',
    ...imageSize(name),
  }))
}

const isSupported = (): boolean => process.platform === 'linux' || process.platform === 'darwin'

const isLocalFile = async (url: URL): Promise<boolean> => url.protocol === 'file:' && (await isFile(fileURLToPath(url)))

const hostOf = (url: URL): string => (url.protocol === 'file:' ? '' : url.host)

/** Docker Hub responds under another host name than the one in its image references. */
function registryHost(image: LockedImage): string {
  const registry = image.repository.slice(0, image.repository.indexOf('/'))
  return registry === 'docker.io' ? 'registry-1.docker.io' : registry
}

/** Compares the charts in local folders with their known digests. The others are verified when they are downloaded. */
export async function findChangedCharts(
  lock: Lock,
  names: readonly ChartName[],
): Promise<SupplyFacts['changedCharts']> {
  const changed = await Promise.all(
    names.map(async name => {
      const { version, sha256 } = lock.charts[name]
      const url = chartUrl(lock, name)
      const known = knownDigest({ url, sha256 })
      if (!known || !(await isLocalFile(url))) return undefined
      const found = await fileDigest(fileURLToPath(url))
      return found === known.digest ? undefined : { name: `${name} ${version}`, found, known: known.digest }
    }),
  )
  return changed.filter(chart => chart !== undefined)
}

const npmPackages = {
  pulumi: '@pulumi/pulumi',
  'pulumi-resource-command': '@pulumi/command',
  'pulumi-resource-kubernetes': '@pulumi/kubernetes',
} as const

/** Compares the pinned Pulumi programs with the installed npm packages. */
export function findVersionMismatches(lock: Lock): SupplyFacts['versionMismatches'] {
  return Object.entries(npmPackages).flatMap(([name, packageName]) => {
    const text = readFileSync(join(projectDir, 'node_modules', packageName, 'package.json'), 'utf8')
    const npm = (JSON.parse(text) as { version: string }).version
    const pinned = lock.tools[name as keyof typeof npmPackages].version
    return pinned === npm ? [] : [{ name, pinned, npm }]
  })
}
