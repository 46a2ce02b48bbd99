import { execa } from 'execa'
import pLimit from 'p-limit'
import pRetry, { AbortError } from 'p-retry'
import { LabError } from '../../shared/lab-error.ts'
import { type ImageName, imageRef, type Lock, type LockedImage } from '../../shared/lock.ts'
import { docker, dockerProblem } from '../engine/docker.ts'
import { remember, remembered } from './remembered-digests.ts'
import { retryPolicy } from './retry.ts'

// Images come to the Docker host first, where they outlive the cluster, and from there into the node by a pipe: a second `lab up`
// needs no registry, and pulls run while the cluster is being made.

/** What happens to one image, for a progress display. */
export interface ImageStep {
  /** Repository and tag. */
  ref: string
  step: 'present' | 'pulling' | 'pulled' | 'loading' | 'loaded'
  /** Layers that are in place, and how many there are; only while pulling. */
  layers?: { done: number; of: number }
}
export type OnImage = (step: ImageStep) => void

/** Pulls at a time: more of them share the same line, and Docker itself takes three layers of each at once. */
const pullsAtATime = 3

/**
 * Brings images onto the Docker host, under `repository:tag`. What is there already is not pulled.
 *
 * An image that the lock does not pin by digest is pulled by tag once; the digest it had is remembered, and pulled by from then on.
 * @throws LabError for the first image that cannot be had; no further pull is begun then.
 */
export async function pullImages(lock: Lock, names: readonly ImageName[], onImage?: OnImage): Promise<void> {
  await pullAll(
    names.map(name => lock.images[name]),
    onImage,
  )
}

/** Brings the node's own image onto the Docker host. @throws LabError as `pullImages`. */
export const pullNodeImage = (lock: Lock, onImage?: OnImage): Promise<void> => pullAll([lock.nodeImage], onImage)

/**
 * Brings these images onto the Docker host.
 * @param is whether one that is there will do
 * @throws LabError as `pullImages`.
 */
export async function pullAll(
  images: readonly LockedImage[],
  onImage?: OnImage,
  is: (image: LockedImage, held: HeldImage | undefined) => boolean = isAsWanted,
): Promise<void> {
  const here = await presentImages(images.map(imageRef))
  const missing = images.filter(image => {
    const present = is(image, here.get(imageRef(image)))
    if (present) onImage?.({ ref: imageRef(image), step: 'present' })
    return !present
  })
  if (missing.length === 0) return
  const engine = await enginePlatform()
  const atATime = pLimit(pullsAtATime)
  const pullOrStop = (image: LockedImage): Promise<void> =>
    pull(image, engine, onImage).catch((error: unknown) => {
      atATime.clearQueue()
      throw error
    })
  await Promise.all(missing.map(image => atATime(pullOrStop, image)))
}

/** The digest that an image must have, where one is known. */
export const wantedDigest = (image: LockedImage): string | undefined => image.digest ?? remembered(imageRef(image))

/** What the Docker host knows of an image. */
export interface HeldImage {
  /** Its id: the digest of its configuration, or with containerd's image store that of its manifest. */
  id: string
  /** The digests that registries know it by. One that was loaded from a file has none, or with containerd's image store one of its own. */
  repoDigests: readonly string[]
}

/**
 * Whether what the Docker host holds under an image's name is what the lock means.
 *
 * Without repository digests it was loaded from a file or built here: its tag is all there is to go by. With others than the wanted one it
 * may still have come out of a bundle, which says what it was packed from.
 */
export function isAsWanted(image: LockedImage, held: HeldImage | undefined): boolean {
  return held !== undefined && (held.repoDigests.length === 0 || isCertain(image, held))
}

/** The same, where a tag alone is not enough to go by unless nothing else is known of the image. */
export function isCertain(image: LockedImage, held: HeldImage | undefined): boolean {
  if (!held) return false
  const digest = wantedDigest(image)
  if (digest === undefined) return true
  return held.repoDigests.some(found => found.endsWith(`@${digest}`)) || remembered(loadedAs(image, digest)) === held.id
}

/** Under what the id is remembered that an image of this digest got when it was loaded from a file. */
export const loadedAs = (image: LockedImage, digest: string): string => `${imageRef(image)}@${digest}`

/**
 * Which of these images the Docker host has.
 * @param options.timeout milliseconds that Docker may take; by default as long as it takes.
 */
export async function presentImages(
  refs: readonly string[],
  options: { timeout?: number } = {},
): Promise<Map<string, HeldImage>> {
  if (refs.length === 0) return new Map()
  const args = ['image', 'inspect', '--format', '{{json .RepoTags}}\t{{json .RepoDigests}}\t{{.Id}}', ...refs]
  const result = await execa('docker', args, { ...options, reject: false })
  // Exit code 1 with "No such image" for each that is missing; the others are printed all the same
  if (result.failed && !/no such image|not found/i.test(result.stderr)) throw dockerProblem(args, result)
  const present = new Map<string, HeldImage>()
  for (const line of result.stdout.split('\n').filter(Boolean)) {
    const [tags, digests, id] = line.split('\t') as [string, string, string]
    const names = (JSON.parse(tags) as string[] | null) ?? []
    const held = { id, repoDigests: (JSON.parse(digests) as string[] | null) ?? [] }
    for (const ref of refs) if (names.includes(familiarName(ref)) || names.includes(ref)) present.set(ref, held)
  }
  return present
}

/** Bytes that images on the Docker host take, unpacked; those that they share are counted with each. */
export async function imageSizes(refs: readonly string[]): Promise<Map<string, number>> {
  if (refs.length === 0) return new Map()
  const sizes = await docker(['image', 'inspect', '--format', '{{.Size}}', ...refs])
  return new Map(sizes.split('\n').map((size, at) => [refs[at]!, Number(size)]))
}

/** Docker leaves out its own registry in the names that it shows. */
export const familiarName = (ref: string): string => ref.replace(/^docker\.io\/(library\/)?/, '')

/** Operating system and architecture of the engine, as in linux/amd64; it may differ from this machine's. */
export const enginePlatform = (): Promise<string> => docker(['version', '--format', '{{.Server.Os}}/{{.Server.Arch}}'])

async function pull(image: LockedImage, engine: string, onImage?: OnImage): Promise<void> {
  const ref = imageRef(image)
  const digest = wantedDigest(image)
  const from = digest ? `${image.repository}@${digest}` : ref
  const platform = publishedPlatform(image, engine)
  const args = ['pull', ...(platform === engine ? [] : ['--platform', platform]), from]
  onImage?.({ ref, step: 'pulling' })
  await pRetry(() => pullOnce(args, ref, onImage), retryPolicy)
  if (digest) {
    await docker(['tag', from, ref])
  } else {
    const known = registryDigest(image, (await presentImages([ref])).get(ref))
    if (known) await remember({ [ref]: known })
  }
  onImage?.({ ref, step: 'pulled' })
}

/** The digest that its registry knows an image by which the Docker host has, if it came from there. */
export const registryDigest = (image: LockedImage, held: HeldImage | undefined): string | undefined =>
  held?.repoDigests.find(found => found.startsWith(`${familiarName(image.repository)}@`))?.split('@')[1]

/** What a registry has under an image's name for one platform. */
export interface Published {
  /** Repository and digest of what is for that platform alone: pulled by it, it takes no other's name away. */
  name: string
  /** Bytes of its layers, compressed as they come. */
  bytes: number
}

interface Manifest {
  manifests?: { digest: string; platform?: { os: string; architecture: string } }[]
  layers?: { size: number }[]
}

/**
 * Asks an image's registry what it has for a platform, by Docker's own command, which knows the user's sign-in.
 * @param platform as in linux/arm64
 * @throws LabError when it does not answer, or has nothing for it.
 */
export async function publishedFor(image: LockedImage, platform: string): Promise<Published> {
  const digest = wantedDigest(image)
  const whole = digest ? `${image.repository}@${digest}` : imageRef(image)
  const index = await inspectManifest(whole, image)
  if (!index.manifests) return { name: whole, bytes: layerBytes(index) }
  const found = index.manifests.find(
    ({ platform: of }) => of && `${of.os}/${of.architecture}` === publishedPlatform(image, platform),
  )
  if (!found) throw notPublished(imageRef(image), platform)
  const name = `${image.repository}@${found.digest}`
  return { name, bytes: layerBytes(await inspectManifest(name, image)) }
}

/** The platform that an image is had for: where it is not published for the one that is asked for, an engine may run another's. */
export const publishedPlatform = ({ platforms }: LockedImage, platform: string): string =>
  platforms && !platforms.some(one => one === platform) ? platforms[0]! : platform

const layerBytes = ({ layers = [] }: Manifest): number => layers.reduce((sum, { size }) => sum + size, 0)

async function inspectManifest(name: string, image: LockedImage): Promise<Manifest> {
  const args = ['manifest', 'inspect', name]
  return pRetry(async () => {
    const result = await execa('docker', args, { reject: false })
    if (result.failed) throw pullProblem(args, imageRef(image), result)
    return JSON.parse(result.stdout) as Manifest
  }, retryPolicy)
}

/** Brings onto the Docker host what `publishedFor` found, under its own name only. @throws LabError as `pullImages`. */
export async function pullPublished(
  image: LockedImage,
  { name }: Published,
  platform: string,
  onImage?: OnImage,
): Promise<void> {
  const ref = imageRef(image)
  onImage?.({ ref, step: 'pulling' })
  const args = ['pull', '--platform', publishedPlatform(image, platform), name]
  await pRetry(() => pullOnce(args, ref, onImage), retryPolicy)
  onImage?.({ ref, step: 'pulled' })
}

async function pullOnce(args: readonly string[], ref: string, onImage?: OnImage): Promise<void> {
  const layers = new Map<string, boolean>()
  const pulling = execa('docker', args, { reject: false })
  for await (const line of pulling) {
    const layer = /^([0-9a-f]{12}): (.+)$/.exec(String(line))
    if (!layer) continue
    layers.set(layer[1]!, layers.get(layer[1]!) || /^(Pull complete|Already exists)/.test(layer[2]!))
    const done = [...layers.values()].filter(Boolean).length
    onImage?.({ ref, step: 'pulling', layers: { done, of: layers.size } })
  }
  const result = await pulling
  if (result.failed) throw pullProblem(args, ref, result)
}

/** Why an image could not be pulled. A network that is away may come back; a name that is wrong stays wrong. */
export function pullProblem(
  args: readonly string[],
  ref: string,
  failure: { code?: string | undefined; stderr?: unknown; cause?: unknown },
): Error {
  const says =
    String(failure.stderr ?? '')
      .trim()
      .split('\n')
      .at(-1) ?? ''
  const registry = ref.slice(0, ref.indexOf('/'))
  const cause = failure.cause
  if (failure.code === 'ENOENT' || /docker daemon|docker\.sock/i.test(says))
    return new AbortError(dockerProblem(args, failure))
  if (/toomanyrequests|rate limit/i.test(says))
    return new AbortError(
      new LabError({
        found: `${registry} gives no more images for now (rate limit), wanted ${ref}`,
        expected: 'a registry that lets this network pull',
        next: 'docker login, wait an hour, or name a mirror: --lock FILE',
        cause,
      }),
    )
  if (/no matching manifest/i.test(says)) return new AbortError(notPublished(ref, "this machine's architecture", cause))
  if (/not found|no such manifest|manifest unknown|denied|unauthorized|invalid reference/i.test(says))
    return new AbortError(
      new LabError({
        found: `${registry} does not give ${ref} (${says})`,
        expected: 'an image that its registry has, as the lock says',
        next: 'look at repository, tag and digest in lab.lock.yaml, or name a mirror: --lock FILE',
        cause,
      }),
    )
  return new LabError({
    found: `${registry} cannot be reached for ${ref} (${says})`,
    expected: `a network that reaches ${registry}`,
    next: 'check the network and repeat; what was pulled is kept',
    cause,
  })
}

const notPublished = (ref: string, platform: string, cause?: unknown): LabError =>
  new LabError({
    found: `${ref} is not published for ${platform}`,
    expected: 'an image for it',
    next: 'name another image in a lock of your own: --lock FILE',
    cause,
  })

export interface LoadOptions {
  onImage?: OnImage | undefined
  /** How long to wait for the node's containerd, in seconds; it is there a few seconds after the node's container. Default 180. */
  waitSeconds?: number
}

/**
 * Copies images from the Docker host into a kind node, under their full names. What the node has already is skipped.
 *
 * May be called before the node exists: Docker packs while the node boots, and what it packed flows in once containerd answers.
 * @throws LabError when the node does not appear in time, or an image is not on the Docker host.
 */
export async function loadImages(node: string, refs: readonly string[], options: LoadOptions = {}): Promise<void> {
  const { onImage, waitSeconds = 180 } = options
  const held = await nodeImages(node).catch(() => new Set<string>())
  const missing = refs.filter(ref => !held.has(ref))
  for (const ref of refs) onImage?.({ ref, step: held.has(ref) ? 'present' : 'loading' })
  if (missing.length === 0) return
  const platform = await enginePlatform()
  await Promise.all(halves(missing).map(half => copyImages(node, half, platform, waitSeconds)))
  const now = await nodeImages(node)
  const lost = missing.find(ref => !now.has(ref))
  if (lost)
    throw new LabError({
      found: `${lost} did not arrive in the node ${node}`,
      expected: 'an image that Docker can save and containerd can import',
      next: `docker image rm ${lost}, then repeat`,
    })
  for (const ref of missing) onImage?.({ ref, step: 'loaded' })
}

/** Two streams: Docker packs one while the node unpacks the other. More would pack layers that images share more than once. */
function halves(refs: readonly string[]): (readonly string[])[] {
  const middle = Math.ceil(refs.length / 2)
  return refs.length < 4 ? [refs] : [refs.slice(0, middle), refs.slice(middle)]
}

/** Full names of the images that a node has. */
export async function nodeImages(node: string): Promise<Set<string>> {
  const names = await docker(['exec', node, 'ctr', '--namespace=k8s.io', 'images', 'ls', '-q'])
  return new Set(names.split('\n').filter(Boolean))
}

/** Exit code of the script below when the node did not come. */
const nodeAway = 75

/**
 * `docker save | ctr images import` with the shell's own pipe: gigabytes do not pass through this process. Saving begins at once; the
 * classic image store writes everything to disk before the first byte comes out, and the node's boot is the time to do it in.
 *
 * Only the node's platform is taken. With containerd's image store an engine saves an index that names platforms whose layers it never
 * pulled, and an import of all platforms, as `kind load` asks for, fails on the first of them (kubernetes-sigs/kind#3795). `--local`
 * unpacks in ctr itself, in half the time that containerd's transfer service takes; a layer that is unpacked is not kept packed as well.
 */
const copyScript = `
node=$1 platform=$2 tries=$3; shift 3
docker save "$@" | {
  until docker exec "$node" ctr version >/dev/null 2>&1; do
    [ "$tries" -gt 0 ] || exit ${nodeAway}
    tries=$((tries - 1)); sleep 0.4
  done
  docker exec -i "$node" ctr --namespace=k8s.io images import --local --discard-unpacked-layers --platform "$platform" -
}`

async function copyImages(node: string, refs: readonly string[], platform: string, waitSeconds: number): Promise<void> {
  const tries = String(Math.ceil(waitSeconds / 0.5))
  const result = await execa('sh', ['-c', copyScript, 'sh', node, platform, tries, ...refs], { reject: false })
  if (!result.failed) return
  if (result.exitCode === nodeAway)
    throw new LabError({
      found: `containerd in the node ${node} did not answer within ${waitSeconds} s`,
      expected: 'a kind node that starts',
      next: './lab doctor',
    })
  // Where saving fails, importing complains of what it was given: the first error is the one to tell
  const says = result.stderr.split('\n').find(line => /^error|no such/i.test(line)) ?? result.stderr.split('\n').at(-1)
  throw new LabError({
    found: `images could not be copied into the node ${node}: ${says}`,
    expected: 'images on the Docker host, and a node with room for them',
    next: './lab up again; if it stays so: ./lab doctor',
    cause: result,
  })
}
