import { imageRef, type LockedImage } from '../../shared/lock.ts'
import { type DockerImage, familiarName } from './docker-images.ts'
import { rememberedDigest } from './remembered-digests.ts'

// Compares the images on the Docker host with the digests that the lock pins or that the first pull stored.

/** Returns the digest that an image must have, or undefined where none is known. */
export const expectedImageDigest = (image: LockedImage): string | undefined =>
  image.digest ?? rememberedDigest(imageRef(image))

/**
 * Returns whether an image on the Docker host is the one in the lock.
 *
 * An image without repository digests was loaded from a file or built here, so only its tag can be compared. An image
 * with another digest may still come from an offline bundle, which records the digest it was packed from.
 */
export const matchesLock = (image: LockedImage, onHost: DockerImage | undefined): boolean =>
  onHost !== undefined && (onHost.repoDigests.length === 0 || matchesLockedDigest(image, onHost))

/**
 * Returns whether an image on the Docker host has the digest in the lock. The tag is enough only where no digest is
 * known.
 */
export function matchesLockedDigest(image: LockedImage, onHost: DockerImage | undefined): boolean {
  if (!onHost) return false
  const digest = expectedImageDigest(image)
  if (digest === undefined) return true
  return (
    onHost.repoDigests.some(name => name.endsWith(`@${digest}`)) ||
    rememberedDigest(loadedImageKey(image, digest)) === onHost.id
  )
}

/** Returns the key that stores which id an image with this digest got when it was loaded from an offline bundle. */
export const loadedImageKey = (image: LockedImage, digest: string): string => `${imageRef(image)}@${digest}`

/**
 * Returns the digest under which its registry knows an image on the Docker host, or undefined where it was not pulled
 * from there.
 */
export const registryDigest = (image: LockedImage, onHost: DockerImage | undefined): string | undefined =>
  onHost?.repoDigests.find(name => name.startsWith(`${familiarName(image.repository)}@`))?.split('@')[1]
