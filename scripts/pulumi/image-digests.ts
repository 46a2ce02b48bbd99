import type { Lab } from '../../shared/lab.ts'
import { LabError } from '../../shared/lab-error.ts'
import { imagesOf } from '../../shared/lab-images.ts'
import type { Lock } from '../../shared/lock.ts'
import { expectedImageDigest } from '../supplies/image-digests.ts'

/**
 * Returns the lock with the digest of each image in its tag, as in `v1.7.0@sha256:…`. Kubernetes then pulls by the
 * digest, and the tag is for people. Digests come from the lock, or from an earlier pull.
 * @param options.preview whether an image without a known digest keeps its plain tag
 * @throws LabError naming the images without a known digest.
 */
export function withImageDigests(lab: Lab, { preview }: { preview: boolean }): Lock {
  const { lock } = lab
  const used = imagesOf(lab).map(name => ({
    name,
    image: lock.images[name],
    digest: expectedImageDigest(lock.images[name]),
  }))
  const [missing, ...more] = used.filter(({ digest }) => digest === undefined)
  if (missing && !preview)
    throw new LabError({
      found: `cluster.imageDigests is true, but no digest is known of ${[missing, ...more].map(({ name }) => name).join(', ')}`,
      expected: `a digest of each image in ${lock.file}`,
      next: [missing, ...more]
        .map(({ name, image }) => `./lab pins update images.${name} --to ${image.tag}`)
        .join(' && '),
    })
  const pinned = used.flatMap(({ name, image, digest }) =>
    digest === undefined ? [] : [[name, { ...image, tag: `${image.tag}@${digest}` }] as const],
  )
  return { ...lock, images: { ...lock.images, ...Object.fromEntries(pinned) } }
}
