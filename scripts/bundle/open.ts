import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { buffer } from 'node:stream/consumers'
import { LabError } from '../../shared/lab-error.ts'
import { digestInChecksums } from '../supplies/published-digests.ts'
import { checksumsPath, type Manifest, manifestPath, parseManifest, sizeOfMembers } from './manifest.ts'
import { readTarIndex, type TarRange } from './tar.ts'

/** A bundle whose members all have the right size. Their digests are checked when they are read. */
export interface Bundle {
  file: string
  /** Bytes. */
  size: number
  manifest: Manifest
  /** Reads a member without checking its digest. */
  read: (path: string) => AsyncIterable<Buffer>
}

/**
 * Opens a bundle.
 * @throws LabError for a file that is missing, not a bundle, cut off, damaged, or of another format.
 */
export async function openBundle(file: string): Promise<Bundle> {
  const size = await stat(file).then(
    found => (found.isFile() ? found.size : undefined),
    () => undefined,
  )
  if (size === undefined) throw new LabError({ found: `There is no bundle at ${file}`, next: createOne })
  const index = await readTarIndex(file)
  if (!index) throw notABundle(file)
  const { members, cutOff } = index
  if (!members.has(manifestPath)) throw cutOff ? bundleCutOff(file, size) : notABundle(file)

  const read = (path: string): AsyncIterable<Buffer> => readRange(file, members.get(path)!)
  const readText = async (path: string): Promise<string> => (await buffer(read(path))).toString('utf8')
  const text = await readText(manifestPath)
  const manifest = parseManifest(text)
  const checksums = members.has(checksumsPath) ? await readText(checksumsPath) : ''
  if (manifest && !('members' in manifest)) throw otherFormat(file, manifest)
  if (!manifest || digestInChecksums(checksums, manifestPath) !== createHash('sha256').update(text).digest('hex'))
    throw damagedBundle(file, manifestPath)
  const wrong = Object.entries(manifest.members).find(([path, member]) => members.get(path)?.size !== member.size)
  if (wrong) throw cutOff ? bundleCutOff(file, size, manifest) : damagedBundle(file, wrong[0])
  return { file, size, manifest, read }
}

/** Reads a member and checks its digest at the end. @throws LabError when it differs from the manifest. */
export async function* readVerified({ file, manifest, read }: Bundle, path: string): AsyncGenerator<Buffer> {
  const hash = createHash('sha256')
  for await (const chunk of read(path)) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest('hex') !== manifest.members[path]!.sha256) throw damagedBundle(file, path)
}

const readRange = (file: string, { offset, size }: TarRange): AsyncIterable<Buffer> =>
  // createReadStream does not accept an end before the start, so an empty member is not read
  size === 0 ? emptyStream() : createReadStream(file, { start: offset, end: offset + size - 1, highWaterMark: 1 << 20 })

async function* emptyStream(): AsyncGenerator<Buffer> {}

const createOne = 'create one on a machine with a network: ./lab bundle create lab.bundle'

const notABundle = (file: string): LabError => new LabError({ found: `${file} is not a bundle`, next: createOne })

const otherFormat = (file: string, { bundle, lab }: { bundle: number; lab: string }): LabError =>
  new LabError({
    found: `The bundle ${file} has format ${bundle}, created by version ${lab} of the lab`,
    expected: 'a format that this version of the lab can read',
    next: 'git pull, or create it with this version: ./lab bundle create lab.bundle',
  })

const bundleCutOff = (file: string, size: number, manifest?: Manifest): LabError =>
  new LabError({
    found: `The bundle ${file} is cut off after ${size} bytes`,
    expected: manifest ? `more than ${sizeOfMembers(manifest, Object.keys(manifest.members))} bytes` : '',
    next: 'copy it again (rsync --append continues an interrupted copy)',
  })

const damagedBundle = (file: string, path: string): LabError =>
  new LabError({
    found: `The bundle ${file} is damaged: ${path} has changed`,
    next: `copy it again, then compare on both machines: sha256sum ${file}`,
  })
