import { imagesOf } from '../../../shared/lab-images.ts'
import { imageRef, type LockedImage } from '../../../shared/lock.ts'
import { namespaces } from '../../../shared/names.ts'
import { type ClusterAccess, kubectlJson } from '../../cluster/kubectl.ts'
import { nodeName } from '../../cluster/node-container.ts'
import type { Context } from '../../context/context.ts'
import { docker } from '../../engine/docker.ts'
import { type DockerImage, findDockerImages } from '../../supplies/docker-images.ts'
import { expectedImageDigest, matchesLock } from '../../supplies/image-digests.ts'
import { runningSource } from '../../tetragon/running-source.ts'
import { checksOf, eachCheck, type NamedCheck, readOnce, type VerifyCheck, withProof } from '../verify-check.ts'

// Follows each digest from the lock (or the first pull) to the image on the Docker host, the image in the node, and the
// running container.

const { ok, fail, skip } = checksOf('images')

const titles = {
  names: 'every container uses a pinned image',
  containers: 'every container runs the image on the Docker host',
  nodeImage: 'the node runs the pinned image',
  digests: 'images have their pinned digests',
  noDigest: 'images without a registry digest',
  system: 'kube-system and local-path-storage',
}

/** A running container. */
export interface RunningContainer {
  pod: string
  container: string
  /** The image that the pod names. */
  image: string
  /** The image that the runtime started: `sha256:…`, possibly with a repository in front. */
  id: string
}

/** An image in the node. */
export interface NodeImage {
  /** Digest of the configuration, which the runtime uses as the image's id. */
  config: string
  /** Digest of the manifest or index that the name refers to. */
  target: string
}

/** Checks that every container runs a pinned image. */
export function verifyImages(context: Context): Promise<VerifyCheck[]> {
  const { settings, lock } = context
  const node = nodeName(settings.cluster.name)
  const images = readOnce(async () => {
    const source = (await runningSource(context)) === 'live' ? 'live' : 'replay'
    return imagesOf({ settings, source }).map(name => lock.images[name])
  })
  const containers = readOnce(() => readContainers(context))
  const names: NamedCheck = [titles.names, async () => judgeNames(await containers(), await images())]
  if (settings.cluster.mode === 'existing')
    return eachCheck('images', [
      names,
      [titles.digests, async () => judgeContainerDigests(await containers(), await images())],
    ])
  const onHost = readOnce(async () => findDockerImages([...(await images()), lock.nodeImage].map(imageRef)))
  return eachCheck('images', [
    names,
    [titles.containers, async () => judgeContainers(await containers(), await readNodeImages(node), await onHost())],
    [titles.digests, async () => judgeDigests(await images(), await onHost())],
    [titles.nodeImage, async () => judgeNodeImage(lock.nodeImage, await readNodeImageId(node), await onHost())],
    [titles.system, () => skip(titles.system, 'their images are part of the node image, and pinned by its digest')],
  ])
}

/** Returns the id of the image that the node runs. */
const readNodeImageId = async (node: string): Promise<string> =>
  (await docker(['inspect', '--format', '{{.Image}}', node])).trim()

interface Pod {
  metadata: { name: string; namespace: string }
  spec: Record<'containers' | 'initContainers', { name: string; image: string }[] | undefined>
  status: Record<'containerStatuses' | 'initContainerStatuses', { name: string; imageID: string }[] | undefined>
}

async function readContainers(access: ClusterAccess): Promise<RunningContainer[]> {
  const lists = await Promise.all(
    Object.values(namespaces).map(namespace => kubectlJson<{ items: Pod[] }>(access, ['get', 'pods', '-n', namespace])),
  )
  return lists.flatMap(({ items }) => items).flatMap(containersOfPod)
}

function containersOfPod({ metadata, spec, status }: Pod): RunningContainer[] {
  const specs = [...(spec.initContainers ?? []), ...(spec.containers ?? [])]
  const statuses = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]
  return statuses
    .filter(({ imageID }) => imageID)
    .map(({ name, imageID }) => ({
      pod: metadata.name,
      container: name,
      // With cluster.imageDigests, the name has the digest too.
      image: specs.find(container => container.name === name)!.image.replace(/@.*/, ''),
      id: imageID,
    }))
}

/** Returns the images in the node by name. */
async function readNodeImages(node: string): Promise<Map<string, NodeImage>> {
  const [listed, table] = await Promise.all([
    docker(['exec', node, 'crictl', 'images', '--output', 'json']),
    docker(['exec', node, 'ctr', '--namespace=k8s.io', 'images', 'ls']),
  ])
  // The columns of the table are REF, TYPE, DIGEST, SIZE, …
  const rows = table.split('\n').map(line => line.split(/\s+/))
  const targets = new Map(rows.map(([ref, , digest]) => [ref!, digest!]))
  const { images } = JSON.parse(listed) as { images: { id: string; repoTags: string[] }[] }
  return new Map(
    images.flatMap(({ id, repoTags }) => repoTags.map(ref => [ref, { config: id, target: targets.get(ref) ?? '' }])),
  )
}

/** Checks that the lock names the image of every container. */
export function judgeNames(containers: RunningContainer[], images: LockedImage[]): VerifyCheck {
  const title = titles.names
  const pinned = new Set(images.map(imageRef))
  const others = containers.filter(({ image }) => !pinned.has(image))
  if (others.length === 0)
    return ok(title, `${containers.length} containers of ${new Set(containers.map(({ image }) => image)).size} images`)
  return fail(title, {
    found: others.map(({ pod, image }) => `${image} in ${pod}`).join(', '),
    expected: 'only images of lab.lock.yaml',
    next: './lab kubectl get pods -A -o wide',
  })
}

/** Removes the repository in front of a digest. */
const digestOf = (id: string): string => id.slice(id.indexOf('sha256:'))

/**
 * Checks that every container runs the image that its name refers to in the node, and that the Docker host has the same
 * image.
 */
export function judgeContainers(
  containers: RunningContainer[],
  inNode: Map<string, NodeImage>,
  onHost: Map<string, DockerImage>,
): VerifyCheck {
  const title = titles.containers
  for (const container of containers) {
    const { image } = container
    const error = judgeContainer(container, inNode.get(image), onHost.get(image))
    if (error) return fail(title, error)
  }
  return withProof(
    './lab kubectl get pods -A -o jsonpath=\'{range .items[*].status.containerStatuses[*]}{.image} {.imageID}{"\\n"}{end}\'',
    ok(title, `${containers.length} containers, by digest`),
  )
}

function judgeContainer({ pod, container, image, id }: RunningContainer, inNode?: NodeImage, onHost?: DockerImage) {
  if (!inNode || !onHost)
    return { found: `${image} of ${pod} is not ${inNode ? 'on the Docker host' : 'in the node'}`, next: './lab up' }
  const digests = [inNode.config, inNode.target]
  if (!digests.includes(digestOf(id)))
    return {
      found: `${container} of ${pod} runs ${digestOf(id)}`,
      expected: `${image}, which is ${inNode.config}`,
      next: `./lab kubectl delete pod -A --field-selector metadata.name=${pod}`,
    }
  // Docker's id is the digest of the manifest with the containerd image store, and that of the configuration with the
  // older store.
  if (!digests.includes(onHost.id))
    return {
      found: `${image} in the node is ${inNode.config}`,
      expected: `${onHost.id}, as on the Docker host`,
      next: './lab down && ./lab up',
    }
  return undefined
}

/** Checks that the images on the Docker host have the digests of the lock, or those of their first pull. */
export function judgeDigests(images: LockedImage[], onHost: Map<string, DockerImage>): VerifyCheck[] {
  const pairs = images.map(image => ({ image, ref: imageRef(image), held: onHost.get(imageRef(image)) }))
  const wrong = pairs.find(({ image, held }) => held && !matchesLock(image, held))
  if (wrong)
    return [
      fail(titles.digests, {
        found: `${wrong.ref} is ${wrong.held!.repoDigests.map(digestOf).join(', ')}`,
        expected: expectedImageDigest(wrong.image)!,
        next: `docker image rm ${wrong.ref} && ./lab up`,
      }),
    ]
  const byName = pairs.filter(({ image, held }) => !expectedImageDigest(image) || !held?.repoDigests.length)
  const byDigest = pairs.length - byName.length
  return [
    ...(byDigest > 0
      ? [
          withProof(
            'docker image ls --digests',
            ok(titles.digests, `${byDigest} by the digest of the lock or of the first pull`),
          ),
        ]
      : []),
    ...(byName.length > 0
      ? [
          skip(
            titles.noDigest,
            `${byName.length} were built here or loaded from a file, so only their names are checked: ${byName.map(({ ref }) => ref).join(', ')}`,
          ),
        ]
      : []),
  ]
}

/** Checks the digest of every container, in a cluster whose nodes are out of reach. */
export function judgeContainerDigests(containers: RunningContainer[], images: LockedImage[]): VerifyCheck[] {
  const expected = new Map(images.map(image => [imageRef(image), expectedImageDigest(image)]))
  // An image that was loaded from a file has only the digest of its configuration, without a repository.
  const comparable = containers.filter(({ image, id }) => expected.get(image) && id.includes('@'))
  const wrong = comparable.find(({ image, id }) => digestOf(id) !== expected.get(image))
  if (wrong)
    return [
      fail(titles.digests, {
        found: `the container ${wrong.container} of ${wrong.pod} runs ${wrong.id}`,
        expected: `${wrong.image}@${expected.get(wrong.image)}`,
        next: './lab pulumi config set --path tetragon-lab:cluster.imageDigests true && ./lab up',
      }),
    ]
  const others = containers.length - comparable.length
  return [
    ...(comparable.length > 0
      ? [ok(titles.digests, `${comparable.length} containers, by the digest of the lock or of the first pull`)]
      : []),
    ...(others > 0
      ? [
          skip(
            titles.noDigest,
            `${others} containers run images that were built here or loaded from a file, or the lock has no digest of theirs, so only the names are checked`,
          ),
        ]
      : []),
  ]
}

/** Checks that the node runs the pinned image. @param id of the image that it runs. */
export function judgeNodeImage(image: LockedImage, id: string, onHost: Map<string, DockerImage>): VerifyCheck {
  const title = titles.nodeImage
  const next = './lab down && ./lab up'
  const ref = imageRef(image)
  const held = onHost.get(ref)
  if (held?.id !== id) return fail(title, { found: id, expected: `${ref}, which is ${held?.id ?? 'missing'}`, next })
  const { digest } = image
  if (!digest || held.repoDigests.length === 0)
    return skip(title, `${ref} was built here or loaded from a file, so only its name is checked: it is ${id}`)
  return held.repoDigests.some(each => each.endsWith(digest))
    ? ok(title, digest)
    : fail(title, { found: held.repoDigests.map(digestOf).join(', '), expected: digest, next })
}
