import { execa } from 'execa'
import pLimit from 'p-limit'
import { LabError } from '../../shared/lab-error.ts'
import { imageRef, type LockedImage } from '../../shared/lock.ts'
import { setCommand } from '../../shared/settings/config-commands.ts'
import { docker, dockerError } from '../engine/docker.ts'
import { type DockerImage, enginePlatform, findDockerImages, imagePlatform } from './docker-images.ts'
import { expectedImageDigest, matchesLock, registryDigest } from './image-digests.ts'
import { rememberDigests } from './remembered-digests.ts'
import { TransientError, withRetries } from './retry.ts'

// Images are pulled to the Docker host first, where they survive the cluster, and copied from there into the node
// (node-images.ts). So a second `lab up` needs no registry, and pulls run while the cluster starts.

/** A step of pulling or copying one image, for a progress display. */
export interface ImageProgress {
  /** Repository and tag. */
  ref: string
  step: 'present' | 'pulling' | 'pulled' | 'loading' | 'loaded'
  /** The number of finished layers and of all layers; only while pulling. */
  layers?: { done: number; of: number }
}
export type OnImageProgress = (progress: ImageProgress) => void

/** More concurrent pulls would share the same bandwidth, and Docker already pulls three layers of each at once. */
const concurrentPulls = 3

/**
 * Pulls the images that the Docker host does not have, and tags them `repository:tag`.
 *
 * An image without a digest in the lock is pulled by tag once. Its digest is stored, and used for later pulls.
 * @param isPresent decides whether an image on the Docker host is good enough.
 * @throws LabError for the first image that cannot be pulled; no further pull starts then.
 */
export async function pullImages(
  images: readonly LockedImage[],
  onProgress?: OnImageProgress,
  isPresent: (image: LockedImage, onHost: DockerImage | undefined) => boolean = matchesLock,
): Promise<void> {
  const onHost = await findDockerImages(images.map(imageRef))
  const missing = images.filter(image => {
    const present = isPresent(image, onHost.get(imageRef(image)))
    if (present) onProgress?.({ ref: imageRef(image), step: 'present' })
    return !present
  })
  if (missing.length === 0) return
  const engine = await enginePlatform()
  const limit = pLimit(concurrentPulls)
  const pullOrStop = (image: LockedImage): Promise<void> =>
    pullImage(image, engine, onProgress).catch((error: unknown) => {
      limit.clearQueue()
      throw error
    })
  await Promise.all(missing.map(image => limit(pullOrStop, image)))
}

async function pullImage(image: LockedImage, engine: string, onProgress?: OnImageProgress): Promise<void> {
  const ref = imageRef(image)
  const digest = expectedImageDigest(image)
  const source = digest ? `${image.repository}@${digest}` : ref
  const platform = imagePlatform(image, engine)
  await dockerPull([...(platform === engine ? [] : ['--platform', platform]), source], ref, onProgress)
  if (digest) {
    await docker(['tag', source, ref])
  } else {
    const pulled = registryDigest(image, (await findDockerImages([ref])).get(ref))
    if (pulled) await rememberDigests({ [ref]: pulled })
  }
  onProgress?.({ ref, step: 'pulled' })
}

/** Runs `docker pull ARGS` for an image, with retries. @throws LabError as `pullImages`. */
export function dockerPull(args: readonly string[], ref: string, onProgress?: OnImageProgress): Promise<void> {
  onProgress?.({ ref, step: 'pulling' })
  return withRetries(() => pullOnce(['pull', ...args], ref, onProgress))
}

async function pullOnce(args: readonly string[], ref: string, onProgress?: OnImageProgress): Promise<void> {
  const isDone = new Map<string, boolean>()
  const pull = execa('docker', args, { reject: false })
  for await (const line of pull) {
    const layer = /^([0-9a-f]{12}): (.+)$/.exec(String(line))
    if (!layer) continue
    isDone.set(layer[1]!, isDone.get(layer[1]!) || /^(Pull complete|Already exists)/.test(layer[2]!))
    const done = [...isDone.values()].filter(Boolean).length
    onProgress?.({ ref, step: 'pulling', layers: { done, of: isDone.size } })
  }
  const result = await pull
  if (result.failed) throw pullError(args, ref, result)
}

/** Describes why a registry did not deliver an image. A network may come back, so only that error is transient. */
export function pullError(
  args: readonly string[],
  ref: string,
  failure: { code?: string | undefined; stderr?: unknown; cause?: unknown },
): LabError {
  const message =
    String(failure.stderr ?? '')
      .trim()
      .split('\n')
      .at(-1) ?? ''
  const registry = ref.slice(0, ref.indexOf('/'))
  const cause = failure.cause
  if (failure.code === 'ENOENT' || /docker daemon|docker\.sock/i.test(message)) return dockerError(args, failure)
  if (/toomanyrequests|rate limit/i.test(message))
    return new LabError({
      found: `The rate limit of ${registry} is exhausted: it refused ${ref}`,
      next: 'docker login, wait an hour, or use a mirror: --lock FILE',
      cause,
    })
  if (/no matching manifest/i.test(message)) return notPublished(ref, "this machine's architecture", cause)
  if (/not found|no such manifest|manifest unknown|denied|unauthorized|invalid reference/i.test(message))
    return new LabError({
      found: `The registry ${registry} refused ${ref} (${message})`,
      next: 'check repository, tag and digest in lab.lock.yaml, or use a mirror: --lock FILE',
      cause,
    })
  return new TransientError({
    found: `Cannot reach ${registry} to pull ${ref} (${message})`,
    next: 'check the network and repeat (pulled images are kept)',
    cause,
  })
}

/**
 * Checks that the images exist for the engine's platform, so that a setting is refused before anything is downloaded.
 * @throws LabError for the first image that does not.
 */
export async function requirePublished(images: readonly LockedImage[]): Promise<void> {
  if (images.some(({ platforms }) => platforms)) requirePublishedFor(images, await enginePlatform())
}

/**
 * Checks that the images exist for a platform. Under emulation, Tetragon would report the emulator instead of the
 * program.
 * @throws LabError for the first image that does not.
 */
export function requirePublishedFor(images: readonly LockedImage[], platform: string): void {
  const foreign = images.find(image => imagePlatform(image, platform) !== platform)
  if (foreign)
    throw new LabError({
      found: `The image ${imageRef(foreign)} is not published for ${platform}`,
      expected: 'guestbook.images: lab, whose images exist for amd64 and arm64',
      next: setCommand('guestbook.images', 'lab'),
    })
}

export const notPublished = (ref: string, platform: string, cause?: unknown): LabError =>
  new LabError({
    found: `The image ${ref} is not published for ${platform}`,
    next: 'set another image in a lock of your own: --lock FILE',
    cause,
  })
