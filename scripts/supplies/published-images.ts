import { execa } from 'execa'
import { imageRef, type LockedImage } from '../../shared/lock.ts'
import { imagePlatform } from './docker-images.ts'
import { expectedImageDigest } from './image-digests.ts'
import { dockerPull, notPublished, pullError } from './pull-images.ts'
import { withRetries } from './retry.ts'

// Images for other platforms than the engine's, as their registries publish them.

/** An image in its registry for one platform. */
export interface PublishedImage {
  /** Repository and the digest of this platform alone. Pulling by it leaves the tags on the Docker host unchanged. */
  name: string
  /** Compressed size of its layers, in bytes. */
  bytes: number
}

interface RegistryManifest {
  manifests?: { digest: string; platform?: { os: string; architecture: string } }[]
  layers?: { size: number }[]
}

/**
 * Finds an image for a platform in its registry. It runs the docker command, which has the user's credentials.
 * @param platform for example linux/arm64.
 * @throws LabError when the registry does not respond or has no image for the platform.
 */
export async function findPublishedImage(image: LockedImage, platform: string): Promise<PublishedImage> {
  const digest = expectedImageDigest(image)
  const source = digest ? `${image.repository}@${digest}` : imageRef(image)
  const index = await inspectManifest(source, image)
  if (!index.manifests) return { name: source, bytes: layerBytes(index) }
  const wanted = imagePlatform(image, platform)
  const entry = index.manifests.find(({ platform: of }) => of && `${of.os}/${of.architecture}` === wanted)
  if (!entry) throw notPublished(imageRef(image), platform)
  const name = `${image.repository}@${entry.digest}`
  return { name, bytes: layerBytes(await inspectManifest(name, image)) }
}

const layerBytes = ({ layers = [] }: RegistryManifest): number => layers.reduce((sum, { size }) => sum + size, 0)

function inspectManifest(name: string, image: LockedImage): Promise<RegistryManifest> {
  const args = ['manifest', 'inspect', name]
  return withRetries(async () => {
    const result = await execa('docker', args, { reject: false })
    if (result.failed) throw pullError(args, imageRef(image), result)
    return JSON.parse(result.stdout) as RegistryManifest
  })
}

/** Pulls what `findPublishedImage` returned, under its digest only. @throws LabError as `pullImages`. */
export const pullPublishedImage = (image: LockedImage, { name }: PublishedImage, platform: string): Promise<void> =>
  dockerPull(['--platform', imagePlatform(image, platform), name], imageRef(image))
