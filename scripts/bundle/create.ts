import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pLimit from 'p-limit'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { format, type Manifest, type Member, manifestPath, pathsOf, sumsOf, sumsPath } from './manifest.ts'
import { pinsOf } from './pins.ts'
import { type Part, type Plan, type Step, sum } from './plan.ts'
import { counter, type Show, unseen } from './progress.ts'
import type { Stage } from './stage.ts'
import { type Entry, tarOf } from './tar.ts'

/** What has been made. */
export interface CreateResult {
  file: string
  platforms: string[]
  /** In bytes. */
  size: number
  sha256: string
  /** From the plan to the end. */
  seconds: number
}

/**
 * Collects what the plan says, and writes the bundle. What is collected is kept when this fails or is cut off, and taken up by the next plan.
 * @param show runs each part of the work, so that a person sees what it is at
 * @throws LabError for the first thing that cannot be had.
 */
export async function createBundle(plan: Plan, show: Show = unseen): Promise<CreateResult> {
  const began = performance.now()
  const { stage, file } = plan
  try {
    const manifest = emptyManifest(plan)
    for (const [group, steps] of Map.groupBy(plan.steps, step => step.group))
      for (const part of await show(group, say => collect(steps, say))) {
        if (part.packages) manifest.packages = part.packages
        manifest.tools.push(...(part.tools ?? []))
        manifest.charts.push(...(part.charts ?? []))
        manifest.images.push(...(part.images ?? []))
      }
    describeMembers(manifest, stage)
    const sha256 = await show(`Write ${file}`, say => write(manifest, stage, file, say))
    await stage.remove()
    return {
      file,
      platforms: plan.platforms,
      size: (await stat(file)).size,
      sha256,
      seconds: (performance.now() - began) / 1000,
    }
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? noRoom(file, error) : error
  } finally {
    await plan.release()
  }
}

/** Packing takes a processor, fetching the line. */
const stepsAtATime = 3

/** In the order of the steps, whichever is ready first. Once one has failed, no other is begun, and those under way come to their end. */
async function collect(steps: readonly Step[], say: (line: string) => void): Promise<Part[]> {
  const failures: unknown[] = []
  const run = async (step: Step): Promise<Part> => {
    if (failures.length > 0) return {}
    if (step.from !== 'earlier') say(`${step.from === 'network' ? 'fetching' : 'packing'} ${step.name}`)
    return step.run().catch((error: unknown) => {
      failures.push(error)
      return {}
    })
  }
  const atATime = pLimit(stepsAtATime)
  const parts = await Promise.all(steps.map(step => atATime(run, step)))
  if (failures.length > 0) throw failures[0]
  return parts
}

const emptyManifest = ({ platforms, lock }: Plan): Manifest => ({
  bundle: format,
  lab: '',
  created: new Date().toISOString(),
  platforms,
  pins: pinsOf(lock),
  packages: '',
  tools: [],
  charts: [],
  images: [],
  unpacked: {},
  members: {},
})

/** In the order in which they will lie in the file: first what the launcher looks for. */
function describeMembers(manifest: Manifest, stage: Stage): void {
  const { packages: first, tools, charts, images } = manifest
  const launcher = tools.filter(({ name }) => name === 'node')
  const paths = [first, ...[...launcher, ...tools, ...charts].map(({ path }) => path), ...images.flatMap(pathsOf)]
  for (const path of new Set(paths)) {
    manifest.members[path] = stage.member(path)!
    const unpacked = stage.unpacked(path)
    if (unpacked !== undefined) manifest.unpacked[path] = unpacked
  }
}

/** @returns the digest of the whole file. */
async function write(manifest: Manifest, stage: Stage, file: string, say: (line: string) => void): Promise<string> {
  const { version } = JSON.parse(await readFile(join(projectDir, 'package.json'), 'utf8')) as { version: string }
  manifest.lab = version
  const described = Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`)
  const sums = Buffer.from(
    sumsOf({ [manifestPath]: { sha256: createHash('sha256').update(described).digest('hex') }, ...manifest.members }),
  )
  const entries = [
    { path: manifestPath, size: described.length, content: [described] },
    { path: sumsPath, size: sums.length, content: [sums] },
    ...Object.entries(manifest.members).map(([path, member]) => fromStage(stage, path, member)),
  ]
  const count = counter(sum(entries.map(({ size }) => size)), say)
  const hash = createHash('sha256')
  const part = `${file}.part`
  try {
    await pipeline(
      Readable.from(tarOf(entries)),
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

const fromStage = (stage: Stage, path: string, { size }: Member): Entry => ({
  path,
  size,
  // Opened when its turn comes
  content: {
    [Symbol.asyncIterator]: () => createReadStream(stage.at(path), { highWaterMark: 1 << 20 })[Symbol.asyncIterator](),
  },
})

const noRoom = (file: string, cause: unknown): LabError =>
  new LabError({
    found: `no room left in ${dirname(file)}`,
    expected: 'room for the bundle twice: its parts, and the whole',
    next: 'free some space, then repeat: what was collected is kept',
    cause,
  })
