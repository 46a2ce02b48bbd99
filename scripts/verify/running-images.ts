import { imagesOf } from '../../shared/lab-images.ts'
import { imageRef, type Lock, type LockedImage } from '../../shared/lock.ts'
import { namespaces } from '../../shared/names.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { nodeOf } from '../cluster/kind.ts'
import { kubectlJson } from '../cluster/kubectl.ts'
import { docker } from '../engine/docker.ts'
import { familiarName, isAsWanted, wantedDigest } from '../supplies/images.ts'
import { runningSource } from '../tetragon/tetra.ts'
import { fail, ok, proven, skip, type VerifyCheck } from './verify-check.ts'

// What runs is what is pinned. A digest is followed all the way: the lock (or what was remembered at the first pull) → the image on the Docker
// host → the image in the node → the image that a container was started from.

const area = 'images'

/** A container that was started, and from what. */
export interface Started {
  pod: string
  container: string
  /** As its pod asks for it. */
  image: string
  /** What the runtime took, as in sha256:…, or with a repository in front. */
  id: string
}

/** An image in the node. */
export interface NodeImage {
  /** Digest of its configuration, by which the runtime knows it. */
  config: string
  /** Digest of what its name stands for. */
  target: string
}

/** An image on the Docker host. */
export interface HostImage {
  id: string
  /** Digests by which registries know it; none for one that was loaded from a file or built here. */
  digests: string[]
}

interface Status {
  name: string
  imageID: string
}
interface Pod {
  metadata: { name: string; namespace: string }
  spec: Record<'containers' | 'initContainers', { name: string; image: string }[] | undefined>
  status: Record<'containerStatuses' | 'initContainerStatuses', Status[] | undefined>
}

/** Every container of the lab, held against the lock. */
export async function verifyImages(settings: Settings, lock: Lock): Promise<VerifyCheck[]> {
  const source = await runningSource()
  const images = imagesOf({ settings, source: source === 'live' ? 'live' : 'replay' }).map(name => lock.images[name])
  const started = await readStarted()
  const names = judgeNames(started, images)
  if (settings.cluster.mode === 'existing')
    return [names, ...judgeDigests(images, new Map(started.map(({ image, id }) => [image, { id, digests: [id] }])))]
  const node = nodeOf(settings.cluster.name)
  const [inNode, onHost, isNode] = await Promise.all([
    readNode(node),
    readHost([...images, lock.nodeImage].map(imageRef)),
    docker(['inspect', '--format', '{{.Image}}', node]),
  ])
  return [
    names,
    judgeStarted(started, inNode, onHost),
    ...judgeDigests(images, onHost),
    judgeNode(lock.nodeImage, isNode.trim(), onHost),
    skip(
      area,
      'kube-system and local-path-storage',
      'their images come in the image of the node, and are pinned by its digest',
    ),
  ]
}

async function readStarted(): Promise<Started[]> {
  const lists = await Promise.all(
    Object.values(namespaces).map(namespace => kubectlJson<{ items: Pod[] }>(['get', 'pods', '-n', namespace])),
  )
  return lists
    .flatMap(({ items }) => items)
    .flatMap(({ metadata, spec, status }) =>
      [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].flatMap(({ name, imageID }) => {
        const asked = [...(spec.initContainers ?? []), ...(spec.containers ?? [])].find(each => each.name === name)
        return imageID ? [{ pod: metadata.name, container: name, image: asked!.image, id: imageID }] : []
      }),
    )
}

/** What the node has, by name: as the runtime lists it, and what the names stand for. */
async function readNode(node: string): Promise<Map<string, NodeImage>> {
  const [listed, targets] = await Promise.all([
    docker(['exec', node, 'crictl', 'images', '--output', 'json']),
    docker(['exec', node, 'ctr', '--namespace=k8s.io', 'images', 'ls']),
  ])
  // REF TYPE DIGEST SIZE …
  const digests = new Map(
    targets
      .split('\n')
      .map(line => line.split(/\s+/))
      .map(([ref, , digest]) => [ref!, digest!]),
  )
  const { images } = JSON.parse(listed) as { images: { id: string; repoTags: string[] }[] }
  return new Map(
    images.flatMap(({ id, repoTags }) => repoTags.map(ref => [ref, { config: id, target: digests.get(ref) ?? '' }])),
  )
}

async function readHost(refs: string[]): Promise<Map<string, HostImage>> {
  const lines = await docker([
    ...['image', 'inspect', '--format', '{{json .RepoTags}}\t{{.Id}}\t{{json .RepoDigests}}'],
    ...refs,
  ])
  return new Map(
    lines
      .split('\n')
      .filter(Boolean)
      .flatMap(line => {
        const [tags, id, digests] = line.split('\t') as [string, string, string]
        const known = JSON.parse(tags) as string[]
        return refs
          .filter(ref => known.includes(ref) || known.includes(familiarName(ref)))
          .map(ref => [ref, { id, digests: (JSON.parse(digests) as string[] | null) ?? [] }] as const)
      }),
  )
}

/** Whatever runs is in the lock, under its name. */
export function judgeNames(started: Started[], images: LockedImage[]): VerifyCheck {
  const title = 'every container is of a pinned image'
  const pinned = new Set(images.map(imageRef))
  const strangers = started.filter(({ image }) => !pinned.has(image))
  return strangers.length === 0
    ? ok(area, title, `${started.length} containers of ${new Set(started.map(({ image }) => image)).size} images`)
    : fail(
        area,
        title,
        strangers.map(({ pod, image }) => `${image} in ${pod}`).join(', '),
        'those of lab.lock.yaml',
        './lab kubectl get pods -A -o wide',
      )
}

const digest = (id: string): string => id.slice(id.indexOf('sha256:'))

/** Each container was started from what its name stands for in the node, and that came from the Docker host. */
export function judgeStarted(
  started: Started[],
  inNode: Map<string, NodeImage>,
  onHost: Map<string, HostImage>,
): VerifyCheck {
  const title = 'every container runs the image that Docker has'
  const proof =
    './lab kubectl get pods -A -o jsonpath=\'{range .items[*].status.containerStatuses[*]}{.image} {.imageID}{"\\n"}{end}\''
  for (const { pod, container, image, id } of started) {
    const held = inNode.get(image)
    const here = onHost.get(image)
    const next = `./lab kubectl delete pod -A --field-selector metadata.name=${pod}`
    if (!held || !here)
      return fail(
        area,
        title,
        `${image} of ${pod} is not ${held ? 'on the Docker host' : 'in the node'}`,
        'that it is',
        './lab up',
      )
    if (![held.config, held.target].includes(digest(id)))
      return fail(area, title, `${container} of ${pod} runs ${digest(id)}`, `${image}, which is ${held.config}`, next)
    // With containerd's image store Docker knows an image by what its name stands for, with its older one by its configuration.
    if (![held.config, held.target].includes(here.id))
      return fail(
        area,
        title,
        `${image} in the node is ${held.config}`,
        `${here.id}, as on the Docker host`,
        './lab down && ./lab up',
      )
  }
  return proven(proof, ok(area, title, `${started.length} containers, by digest`))
}

/** What the Docker host has is what the lock says, or what the registry gave at the first pull. */
export function judgeDigests(images: LockedImage[], onHost: Map<string, HostImage>): VerifyCheck[] {
  const title = 'images are those that are pinned'
  const proof = 'docker image ls --digests'
  const refs = images.map(image => ({
    image,
    ref: imageRef(image),
    wanted: wantedDigest(image),
    held: onHost.get(imageRef(image)),
  }))
  const wrong = refs.find(({ image, held }) => held && !isAsWanted(image, { id: held.id, repoDigests: held.digests }))
  if (wrong)
    return [
      fail(
        area,
        title,
        `${wrong.ref} is ${wrong.held!.digests.map(digest).join(', ')}`,
        wrong.wanted!,
        `docker image rm ${wrong.ref} && ./lab up`,
      ),
    ]
  const byName = refs.filter(({ wanted, held }) => !wanted || !held?.digests.length)
  const byDigest = refs.length - byName.length
  return [
    ...(byDigest > 0
      ? [proven(proof, ok(area, title, `${byDigest} by the digest in the lock, or of their first pull`))]
      : []),
    ...(byName.length > 0
      ? [
          skip(
            area,
            'images without a digest of a registry',
            `${byName.length} were built here or loaded from a file, and go by their name: ${byName.map(({ ref }) => ref).join(', ')}`,
          ),
        ]
      : []),
  ]
}

/** The node itself runs the pinned image. */
export function judgeNode(image: LockedImage, runs: string, onHost: Map<string, HostImage>): VerifyCheck {
  const title = 'the node is of the pinned image'
  const ref = imageRef(image)
  const held = onHost.get(ref)
  if (held?.id !== runs)
    return fail(area, title, runs, `${ref}, which is ${held?.id ?? 'not there'}`, './lab down && ./lab up')
  if (!image.digest || held.digests.length === 0)
    return skip(area, title, `${ref} was built here or loaded from a file: it goes by its name, and is ${runs}`)
  return held.digests.some(each => each.endsWith(image.digest!))
    ? ok(area, title, image.digest)
    : fail(area, title, held.digests.map(digest).join(', '), image.digest, './lab down && ./lab up')
}
