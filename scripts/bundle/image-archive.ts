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
import { docker, dockerProblem } from '../engine/docker.ts'
import type { BundledImage } from './manifest.ts'
import type { Stage, StagedImage } from './stage.ts'
import { type Entry, tarOf } from './tar.ts'

// Images between Docker and a bundle. `docker save` is taken apart into configuration and layers, since images share layers, and put together
// again for `docker load`, in the form that every Docker reads: a manifest.json beside them.

/** What `manifest.json` of a saved image says. */
interface Saved {
  Config: string
  Layers: string[]
}
interface Config {
  os: string
  architecture: string
  rootfs: { diff_ids: string[] }
}

/** A text of a saved image is at most this long, in bytes. */
const longestText = 4 << 20

/**
 * Packs an image that the Docker host has into the folder.
 * @param name as Docker knows it
 * @param platform as in linux/arm64: with containerd's image store one name may stand for several
 * @param is what it is packed from, to be written down with it
 * @throws LabError when Docker does not give it, or gives another platform.
 */
export async function packImage(stage: Stage, name: string, platform: string, is: string): Promise<StagedImage> {
  const args = ['save', ...((await savesByPlatform()) ? ['--platform', platform] : []), name]
  const saving = execa('docker', args, { reject: false, buffer: { stdout: false }, stdin: 'ignore' })
  const { texts, layers } = await takeApart(saving.stdout, stage)
  const result = await saving
  if (result.failed) throw dockerProblem(args, result)

  const manifests = readJson<Saved[]>(texts.get('manifest.json')) ?? []
  for (const saved of manifests) {
    const text = texts.get(saved.Config)
    const config = readJson<Config>(text)
    if (!text || !config || `${config.os}/${config.architecture}` !== platform) continue
    const digests = saved.Layers.map(path => layers(path))
    // Docker would refuse it on the other side
    if (digests.join() !== config.rootfs.diff_ids.map(id => id.replace(/^sha256:/, '')).join()) continue
    const path = `images/${createHash('sha256').update(text).digest('hex')}.json`
    if (!stage.member(path)) {
      const part = stage.part()
      await writeFile(part, text)
      await stage.keep(part, path)
    }
    return { is, config: path, layers: digests.map(digest => layerPath(digest!)) }
  }
  throw new LabError({
    found: `docker save gives no whole ${name} for ${platform}`,
    expected: 'configuration and layers of that platform',
    next: `docker image rm ${name}, then repeat`,
  })
}

const layerPath = (digest: string): string => `layers/${digest}.tar.gz`

/** Whether `docker save` can be told which of several platforms is meant: from Docker 28 on, on both ends. Asked once. */
const savesByPlatform = (): Promise<boolean> => (byPlatform ??= askVersions())
let byPlatform: Promise<boolean> | undefined

async function askVersions(): Promise<boolean> {
  const versions = await docker(['version', '--format', '{{.Server.Version}} {{.Client.Version}}'])
  return versions.split(' ').every(version => Number.parseInt(version, 10) >= 28)
}

/** Puts the layers of a saved image into the folder, each under the digest that it has when unpacked. */
async function takeApart(
  saved: Readable,
  stage: Stage,
): Promise<{ texts: Map<string, Buffer>; layers: (path: string) => string | undefined }> {
  const texts = new Map<string, Buffer>()
  const digests = new Map<string, string>()
  const links = new Map<string, string>()
  const under: Promise<void>[] = []
  const take = async (entry: ReadEntry): Promise<void> => {
    const chunks = entry[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    const first = await chunks.next()
    if (first.done) return
    if (entry.size <= longestText) {
      const whole = [first.value]
      for (let next = await chunks.next(); !next.done; next = await chunks.next()) whole.push(next.value)
      const text = Buffer.concat(whole)
      if (readJson(text)) texts.set(entry.path, text)
      else digests.set(entry.path, await packLayer(stage, [text]))
    } else digests.set(entry.path, await packLayer(stage, [first.value], chunks))
  }
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown): void => {
      // What nobody reads any more would keep Docker waiting
      saved.destroy()
      reject(error)
    }
    const parser = new Parser({
      onReadEntry: entry => {
        if (entry.type === 'SymbolicLink') {
          // Older Docker stores a layer that stands in the archive twice but once
          links.set(entry.path, posix.join(posix.dirname(entry.path), entry.linkpath ?? ''))
          entry.resume()
        } else if (entry.type === 'File' && !/\/(VERSION|json)$/.test(entry.path)) under.push(take(entry).catch(fail))
        else entry.resume()
      },
    })
    parser.on('end', resolve).on('error', fail)
    saved.on('error', fail).pipe(parser as unknown as NodeJS.WritableStream)
  })
  await Promise.all(under)
  return { texts, layers: path => digests.get(links.get(path) ?? path) }
}

/** @returns the digest of the layer when unpacked. */
async function packLayer(stage: Stage, first: Buffer[], more?: AsyncIterator<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  let bytes = 0
  const count = new Transform({
    transform(chunk: Buffer, _, next) {
      hash.update(chunk)
      bytes += chunk.length
      next(null, chunk)
    },
  })
  async function* whole(): AsyncGenerator<Buffer> {
    yield* first
    if (more) yield* { [Symbol.asyncIterator]: () => more }
  }
  const part = stage.part()
  // Containerd's image store gives layers as they came; packed anew, the same layer is the same file, wherever it came from
  const unpack = [unpacker(first[0]!)].filter(stream => stream !== undefined)
  await pipeline([Readable.from(whole()), ...unpack, count, createGzip(), createWriteStream(part)])
  const digest = hash.digest('hex')
  const path = layerPath(digest)
  if (stage.member(path)) await rm(part)
  else {
    stage.keepUnpacked(path, bytes)
    await stage.keep(part, path)
  }
  return digest
}

function unpacker(start: Buffer): Transform | undefined {
  const magic = start.subarray(0, 4).toString('hex')
  if (magic.startsWith('1f8b')) return createGunzip()
  return magic === '28b52ffd' ? createZstdDecompress() : undefined
}

function readJson<T>(text: Buffer | undefined): T | undefined {
  if (!text || !/^\s*[[{]/.test(text.subarray(0, 64).toString('latin1'))) return undefined
  try {
    return JSON.parse(text.toString('utf8')) as T
  } catch {
    return undefined
  }
}

/**
 * Gives an image of a bundle to Docker.
 * @param members the bytes of a file of the bundle, and how many
 * @throws LabError when Docker does not take it.
 */
export async function unpackImage(image: BundledImage, members: (path: string) => Omit<Entry, 'path'>): Promise<void> {
  const manifest = Buffer.from(JSON.stringify([{ Config: image.config, RepoTags: [image.ref], Layers: image.layers }]))
  const entries: Entry[] = [
    ...[image.config, ...new Set(image.layers)].map(path => ({ path, ...members(path) })),
    { path: 'manifest.json', size: manifest.length, content: [manifest] },
  ]
  const args = ['load', '--quiet']
  const loading = execa('docker', args, { input: Readable.from(tarOf(entries)), reject: false })
  const result = await loading
  if (!result.failed) return
  throw /no space left/i.test(String(result.stderr))
    ? new LabError({
        found: `no room for ${image.ref} where Docker keeps its images`,
        expected: 'room for the images of the bundle',
        next: 'docker system prune, or free some space; then repeat: what was loaded stays',
        cause: result,
      })
    : dockerProblem(args, result)
}
