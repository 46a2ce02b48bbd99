import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip, createGzip, createZstdDecompress } from 'node:zlib'
import { execa } from 'execa'
import { Parser, type ReadEntry } from 'tar'
import { LabError } from '../../shared/lab-error.ts'
import { docker, dockerError } from '../engine/docker.ts'
import type { BundledImage } from './manifest.ts'
import type { Stage, StagedImage } from './stage.ts'
import { type TarEntry, tarChunks } from './tar.ts'

// Moves images between Docker and a bundle. The output of `docker save` is split into configuration and layers, because
// images share layers. For `docker load` they are joined again, with the manifest.json that every version of Docker
// reads.

/** An image in the `manifest.json` of `docker save`. */
interface SavedImage {
  Config: string
  Layers: string[]
}
interface ImageConfig {
  os: string
  architecture: string
  rootfs: { diff_ids: string[] }
}

/** Files up to this many bytes are read into memory to see whether they are JSON; larger ones are layers. */
const maxJsonBytes = 4 << 20

/**
 * Packs an image from the Docker host into the folder.
 * @param name its name in Docker.
 * @param platform for example linux/arm64: with the containerd image store, one name may stand for several platforms.
 * @param source the id or digest to record with it.
 * @throws LabError when Docker cannot save the image, or saves another platform.
 */
export async function packImage(stage: Stage, name: string, platform: string, source: string): Promise<StagedImage> {
  const args = ['save', ...((await supportsSavePlatform()) ? ['--platform', platform] : []), name]
  const save = execa('docker', args, { reject: false, buffer: { stdout: false }, stdin: 'ignore' })
  const { jsonFiles, layerDigest } = await splitArchive(save.stdout, stage)
  const result = await save
  if (result.failed) throw dockerError(args, result)

  for (const saved of parseJson<SavedImage[]>(jsonFiles.get('manifest.json')) ?? []) {
    const text = jsonFiles.get(saved.Config)
    const config = parseJson<ImageConfig>(text)
    if (!text || !config || `${config.os}/${config.architecture}` !== platform) continue
    const layers = saved.Layers.map(layerDigest)
    // `docker load` would refuse layers that differ from the configuration
    if (layers.join() !== config.rootfs.diff_ids.map(id => id.replace(/^sha256:/, '')).join()) continue
    return { source, config: await addConfig(stage, text), layers: layers.map(digest => layerPath(digest!)) }
  }
  throw new LabError({
    found: `docker save returned no complete image ${name} for ${platform}`,
    next: `docker image rm ${name}, then repeat`,
  })
}

async function addConfig(stage: Stage, text: Buffer): Promise<string> {
  const path = `images/${createHash('sha256').update(text).digest('hex')}.json`
  if (!stage.member(path)) {
    const file = stage.temporaryFile()
    await writeFile(file, text)
    await stage.addMember(file, path)
  }
  return path
}

const layerPath = (digest: string): string => `layers/${digest}.tar.gz`

/** Returns whether `docker save` accepts `--platform`, which takes version 28 of the command and of the engine. */
const supportsSavePlatform = (): Promise<boolean> => (savePlatform ??= checkVersions())
let savePlatform: Promise<boolean> | undefined

async function checkVersions(): Promise<boolean> {
  const versions = await docker(['version', '--format', '{{.Server.Version}} {{.Client.Version}}'])
  return versions.split(' ').every(version => Number.parseInt(version, 10) >= 28)
}

interface SplitArchive {
  jsonFiles: Map<string, Buffer>
  /** Returns the digest of the unpacked layer at this path of the archive. */
  layerDigest: (path: string) => string | undefined
}

/** Packs the layers of a saved image into the folder, and returns its JSON files. */
async function splitArchive(archive: Readable, stage: Stage): Promise<SplitArchive> {
  const jsonFiles = new Map<string, Buffer>()
  const digests = new Map<string, string>()
  const links = new Map<string, string>()
  const files: Promise<void>[] = []
  const readFile = async (entry: ReadEntry): Promise<void> => {
    const chunks = entry[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    if (entry.size > maxJsonBytes) {
      digests.set(entry.path, await packLayer(stage, chunks))
      return
    }
    const content = await readAll(chunks)
    if (content.length === 0) return
    if (parseJson(content)) jsonFiles.set(entry.path, content)
    else digests.set(entry.path, await packLayer(stage, [content].values()))
  }
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown): void => {
      // Without a reader Docker would wait forever
      archive.destroy()
      reject(error)
    }
    const parser = new Parser({
      onReadEntry: entry => {
        if (entry.type === 'File' && !/\/(VERSION|json)$/.test(entry.path)) {
          files.push(readFile(entry).catch(fail))
          return
        }
        // Docker before version 25 links to a layer that is already in the archive
        if (entry.type === 'SymbolicLink')
          links.set(entry.path, posix.join(posix.dirname(entry.path), entry.linkpath ?? ''))
        entry.resume()
      },
    })
    parser.on('end', resolve).on('error', fail)
    archive.on('error', fail).pipe(parser as unknown as NodeJS.WritableStream)
  })
  await Promise.all(files)
  return { jsonFiles, layerDigest: path => digests.get(links.get(path) ?? path) }
}

async function readAll(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  const all: Buffer[] = []
  for await (const chunk of iterate(chunks)) all.push(chunk)
  return Buffer.concat(all)
}

async function* iterate(chunks: AsyncIterator<Buffer> | Iterator<Buffer>): AsyncGenerator<Buffer> {
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) yield next.value
}

/** Compresses a layer into the folder. @returns the digest of the unpacked layer. */
async function packLayer(stage: Stage, chunks: AsyncIterator<Buffer> | Iterator<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  let bytes = 0
  const count = new Transform({
    transform(chunk: Buffer, _, next) {
      hash.update(chunk)
      bytes += chunk.length
      next(null, chunk)
    },
  })
  const first = await chunks.next()
  async function* content(): AsyncGenerator<Buffer> {
    if (!first.done) yield first.value
    yield* iterate(chunks)
  }
  const file = stage.temporaryFile()
  // The containerd image store saves layers as the registry compressed them. Compressed again, equal layers become
  // equal files.
  const unpack = [decompressorFor(first.done ? Buffer.alloc(0) : first.value)].filter(stream => stream !== undefined)
  await pipeline([Readable.from(content()), ...unpack, count, createGzip(), createWriteStream(file)])
  const digest = hash.digest('hex')
  const path = layerPath(digest)
  if (stage.member(path)) await rm(file)
  else {
    stage.setUnpackedSize(path, bytes)
    await stage.addMember(file, path)
  }
  return digest
}

function decompressorFor(start: Buffer): Transform | undefined {
  const magic = start.subarray(0, 4).toString('hex')
  if (magic.startsWith('1f8b')) return createGunzip()
  return magic === '28b52ffd' ? createZstdDecompress() : undefined
}

function parseJson<T>(content: Buffer | undefined): T | undefined {
  if (!content || !/^\s*[[{]/.test(content.subarray(0, 64).toString('latin1'))) return undefined
  try {
    return JSON.parse(content.toString('utf8')) as T
  } catch {
    return undefined
  }
}

/**
 * Loads an image from a bundle into Docker.
 * @param readMember returns the size and content of a member.
 * @throws LabError when Docker refuses it.
 */
export async function loadImageIntoDocker(
  image: BundledImage,
  readMember: (path: string) => Omit<TarEntry, 'path'>,
): Promise<void> {
  const manifest = Buffer.from(JSON.stringify([{ Config: image.config, RepoTags: [image.ref], Layers: image.layers }]))
  const entries: TarEntry[] = [
    ...[image.config, ...new Set(image.layers)].map(path => ({ path, ...readMember(path) })),
    { path: 'manifest.json', size: manifest.length, content: [manifest] },
  ]
  const args = ['load', '--quiet']
  const result = await execa('docker', args, { input: Readable.from(tarChunks(entries)), reject: false })
  if (!result.failed) return
  throw /no space left/i.test(String(result.stderr))
    ? new LabError({
        found: `Docker has no disk space left for ${image.ref}`,
        next: 'docker system prune, or free some space, then repeat (loaded images are kept)',
        cause: result,
      })
    : dockerError(args, result)
}
