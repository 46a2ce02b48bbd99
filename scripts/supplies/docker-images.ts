import { execa } from 'execa'
import type { LockedImage } from '../../shared/lock.ts'
import { docker, dockerError } from '../engine/docker.ts'

// Inspects the images on the Docker host.

/** An image as the Docker host knows it. */
export interface DockerImage {
  /** Digest of its configuration or, with the containerd image store, of its manifest. */
  id: string
  /**
   * Digests under which registries know it. An image loaded from a file has none or, with the containerd image store,
   * one of its own.
   */
  repoDigests: readonly string[]
}

/**
 * Returns those of the images that are on the Docker host.
 * @param options.timeout milliseconds; without it there is no limit.
 */
export async function findDockerImages(
  refs: readonly string[],
  options: { timeout?: number } = {},
): Promise<Map<string, DockerImage>> {
  if (refs.length === 0) return new Map()
  const args = ['image', 'inspect', '--format', '{{json .RepoTags}}\t{{json .RepoDigests}}\t{{.Id}}', ...refs]
  const result = await execa('docker', args, { ...options, reject: false })
  // For missing images Docker exits with 1 and "No such image", and still prints the others
  if (result.failed && !/no such image|not found/i.test(result.stderr)) throw dockerError(args, result)
  const images = new Map<string, DockerImage>()
  for (const line of result.stdout.split('\n').filter(Boolean)) {
    const [tags, digests, id] = line.split('\t') as [string, string, string]
    const names = (JSON.parse(tags) as string[] | null) ?? []
    const image = { id, repoDigests: (JSON.parse(digests) as string[] | null) ?? [] }
    for (const ref of refs) if (names.includes(familiarName(ref)) || names.includes(ref)) images.set(ref, image)
  }
  return images
}

/** Returns the unpacked size of each image on the Docker host, in bytes. Layers that images share count for each. */
export async function dockerImageSizes(refs: readonly string[]): Promise<Map<string, number>> {
  if (refs.length === 0) return new Map()
  const sizes = await docker(['image', 'inspect', '--format', '{{.Size}}', ...refs])
  return new Map(sizes.split('\n').map((size, index) => [refs[index]!, Number(size)]))
}

/** Returns an image's name as Docker prints it, without Docker's own registry. */
export const familiarName = (ref: string): string => ref.replace(/^docker\.io\/(library\/)?/, '')

/** Returns the engine's platform, for example linux/amd64. It may differ from this machine's. */
export const enginePlatform = (): Promise<string> => docker(['version', '--format', '{{.Server.Os}}/{{.Server.Arch}}'])

/** Returns the platform to pull: the engine's, or else one that the image is published for (it is then emulated). */
export const imagePlatform = ({ platforms }: LockedImage, engine: string): string =>
  platforms && !platforms.some(platform => platform === engine) ? platforms[0]! : engine
