import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { LabError } from '../../shared/lab-error.ts'
import { digestInChecksums } from '../supplies/published-digests.ts'
import { type Manifest, manifestPath, parseManifest, sumsPath } from './manifest.ts'
import { type Place, placesIn } from './tar.ts'

/** A bundle that is there, whole by its size; whether its contents are what they should be is seen when they are read. */
export interface Bundle {
  file: string
  /** In bytes. */
  size: number
  manifest: Manifest
  /** The bytes of a member, as they come from the disk. */
  read: (path: string) => AsyncIterable<Buffer>
}

/** @throws LabError for a file that is missing, not a bundle, cut off, or of a format that this lab does not read. */
export async function openBundle(file: string): Promise<Bundle> {
  const size = await stat(file).then(
    found => (found.isFile() ? found.size : undefined),
    () => undefined,
  )
  if (size === undefined)
    throw new LabError({
      found: `no bundle at ${file}`,
      expected: 'a file that lab bundle create made',
      next: 'on a machine with a good network: ./lab bundle create lab.bundle',
    })
  const archive = await placesIn(file)
  if (!archive) throw noBundle(file)
  if (!archive.places.has(manifestPath)) throw archive.cutOff ? cutOff(file, size) : noBundle(file)
  const read = (path: string): AsyncIterable<Buffer> => bytesAt(file, archive.places.get(path)!)

  const text = (await buffer(read(manifestPath))).toString('utf8')
  const manifest = parseManifest(text)
  const sums = archive.places.has(sumsPath) ? (await buffer(read(sumsPath))).toString('utf8') : ''
  if (manifest && !('members' in manifest))
    throw new LabError({
      found: `${file} is a bundle of format ${manifest.bundle}, made by version ${manifest.lab} of the lab`,
      expected: 'one that this version reads',
      next: 'git pull, or make it with this version: ./lab bundle create lab.bundle',
    })
  if (!manifest || digestInChecksums(sums, manifestPath) !== createHash('sha256').update(text).digest('hex'))
    throw damaged(file, manifestPath)
  const missing = Object.entries(manifest.members).find(
    ([path, { size: one }]) => archive.places.get(path)?.size !== one,
  )
  if (missing) throw archive.cutOff ? cutOff(file, size, manifest) : damaged(file, missing[0])
  return { file, size, manifest, read }
}

/** The bytes of a member, compared with its digest at their end. @throws LabError when they are not what the manifest says. */
export async function* verified({ file, manifest, read }: Bundle, path: string): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  for await (const chunk of read(path)) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest('hex') !== manifest.members[path]!.sha256) throw damaged(file, path)
}

const bytesAt = (file: string, { offset, size }: Place): AsyncIterable<Buffer> =>
  // An end before the start is not understood as nothing
  size === 0 ? nothing() : createReadStream(file, { start: offset, end: offset + size - 1, highWaterMark: 1 << 20 })

async function* nothing(): AsyncGenerator<Buffer> {}

const noBundle = (file: string): LabError =>
  new LabError({
    found: `${file} is not a bundle`,
    expected: 'a file that lab bundle create made',
    next: 'on a machine with a good network: ./lab bundle create lab.bundle',
  })

const cutOff = (file: string, size: number, manifest?: Manifest): LabError => {
  const whole = manifest && Object.values(manifest.members).reduce((sum, member) => sum + member.size, 0)
  return new LabError({
    found: `${file} is cut off after ${size} bytes`,
    expected: whole ? `more than ${whole} bytes` : 'a whole bundle',
    next: 'copy it again; rsync --append goes on where it stopped',
  })
}

const damaged = (file: string, path: string): LabError =>
  new LabError({
    found: `${file} is damaged: ${path} is not what was packed`,
    expected: 'a bundle as it was made',
    next: `copy it again, and compare on both machines: sha256sum ${file}`,
  })
