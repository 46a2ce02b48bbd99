import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pLimit from 'p-limit'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import type { BundlePlan } from './create-plan.ts'
import { type BundleStep, type ManifestPart, sum } from './create-steps.ts'
import {
  type BundleMember,
  bundleFormat,
  checksumLines,
  checksumsPath,
  imagePaths,
  type Manifest,
  manifestPath,
  pinsOf,
} from './manifest.ts'
import { byteCounter, type ShowProgress, withoutProgress } from './progress.ts'
import type { Stage } from './stage.ts'
import { type TarEntry, tarChunks } from './tar.ts'

export interface CreateResult {
  file: string
  platforms: string[]
  /** Bytes. */
  size: number
  sha256: string
  /** Duration without the planning. */
  seconds: number
}

/**
 * Runs the steps of the plan, and writes the bundle. When it fails or is interrupted, the collected files stay, and the
 * next plan uses them.
 * @throws LabError for the first step that fails.
 */
export async function createBundle(plan: BundlePlan, show: ShowProgress = withoutProgress): Promise<CreateResult> {
  const start = performance.now()
  const { stage, file, platforms } = plan
  try {
    const manifest = await emptyManifest(plan)
    for (const [group, steps] of Map.groupBy(plan.steps, step => step.group))
      addParts(manifest, await show(group, report => runSteps(steps, report)))
    describeMembers(manifest, stage)
    const sha256 = await show(`Write ${file}`, report => writeBundle(manifest, stage, file, report))
    await stage.remove()
    const { size } = await stat(file)
    return { file, platforms, size, sha256, seconds: (performance.now() - start) / 1000 }
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? diskFull(file, error) : error
  } finally {
    await plan.release()
  }
}

/** Packing needs a processor and downloading needs the network, so a few steps at once use both. */
const concurrentSteps = 3

/** Returns the parts in the order of the steps. After a failure no further step starts, and the running ones finish. */
async function runSteps(steps: readonly BundleStep[], report: (line: string) => void): Promise<ManifestPart[]> {
  const failures: unknown[] = []
  const run = async (step: BundleStep): Promise<ManifestPart> => {
    if (failures.length > 0) return {}
    if (step.from !== 'earlier') report(`${step.from === 'network' ? 'downloading' : 'packing'} ${step.name}`)
    return step.run().catch((error: unknown) => {
      failures.push(error)
      return {}
    })
  }
  const limit = pLimit(concurrentSteps)
  const parts = await Promise.all(steps.map(step => limit(run, step)))
  if (failures.length > 0) throw failures[0]
  return parts
}

async function emptyManifest({ platforms, lock }: BundlePlan): Promise<Manifest> {
  const { version } = JSON.parse(await readFile(join(projectDir, 'package.json'), 'utf8')) as { version: string }
  return {
    bundle: bundleFormat,
    lab: version,
    created: new Date().toISOString(),
    platforms,
    pins: pinsOf(lock),
    packages: '',
    tools: [],
    charts: [],
    images: [],
    unpacked: {},
    members: {},
  }
}

function addParts(manifest: Manifest, parts: readonly ManifestPart[]): void {
  for (const { packages, tools = [], charts = [], images = [] } of parts) {
    if (packages) manifest.packages = packages
    manifest.tools.push(...tools)
    manifest.charts.push(...charts)
    manifest.images.push(...images)
  }
}

/** Lists the members in their order in the file: first those that the launcher reads. */
function describeMembers(manifest: Manifest, stage: Stage): void {
  const { packages, tools, charts, images } = manifest
  const node = tools.filter(({ name }) => name === 'node')
  const paths = [packages, ...[...node, ...tools, ...charts].map(({ path }) => path), ...images.flatMap(imagePaths)]
  for (const path of new Set(paths)) {
    manifest.members[path] = stage.member(path)!
    const unpacked = stage.unpackedSize(path)
    if (unpacked !== undefined) manifest.unpacked[path] = unpacked
  }
}

/** Writes the file. @returns its digest. */
async function writeBundle(
  manifest: Manifest,
  stage: Stage,
  file: string,
  report: (line: string) => void,
): Promise<string> {
  const entries = entriesOf(manifest, stage)
  const count = byteCounter(sum(entries.map(({ size }) => size)), report)
  const hash = createHash('sha256')
  const part = `${file}.part`
  try {
    await pipeline(
      Readable.from(tarChunks(entries)),
      async function* (chunks: AsyncIterable<Uint8Array>) {
        for await (const chunk of chunks) {
          hash.update(chunk)
          count(chunk.length)
          yield chunk
        }
      },
      createWriteStream(part),
    )
    await rename(part, file)
  } finally {
    await rm(part, { force: true })
  }
  return hash.digest('hex')
}

function entriesOf(manifest: Manifest, stage: Stage): TarEntry[] {
  const text = Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`)
  const sha256 = createHash('sha256').update(text).digest('hex')
  const checksums = Buffer.from(checksumLines({ [manifestPath]: { sha256 }, ...manifest.members }))
  return [
    { path: manifestPath, size: text.length, content: [text] },
    { path: checksumsPath, size: checksums.length, content: [checksums] },
    ...Object.entries(manifest.members).map(([path, member]) => stagedEntry(stage, path, member)),
  ]
}

const stagedEntry = (stage: Stage, path: string, { size }: BundleMember): TarEntry => ({
  path,
  size,
  // Opened only when it is written, so that not all files are open at once
  content: {
    [Symbol.asyncIterator]: () =>
      createReadStream(stage.file(path), { highWaterMark: 1 << 20 })[Symbol.asyncIterator](),
  },
})

const diskFull = (file: string, cause: unknown): LabError =>
  new LabError({
    found: `The disk of ${dirname(file)} is full`,
    expected: 'twice the size of the bundle: for the collected files and for the bundle',
    next: 'free some space, then repeat (collected files are kept)',
    cause,
  })
