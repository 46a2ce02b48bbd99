import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { docker } from '../engine/docker.ts'
import { enginePlatform } from './docker-images.ts'
import type { OnImageProgress } from './pull-images.ts'

// Copies images from the Docker host into a kind node.

export interface LoadOptions {
  onProgress?: OnImageProgress | undefined
  /** Seconds to wait for containerd in the node, which starts a few seconds after the node's container. Default 180. */
  waitSeconds?: number
}

/**
 * Copies the images that the node does not have from the Docker host, under their full names.
 *
 * May be called before the node exists: Docker packs the images while the node starts, and the copy continues once
 * containerd responds.
 * @throws LabError when the node does not start in time, or an image is not on the Docker host.
 */
export async function loadImagesIntoNode(
  node: string,
  refs: readonly string[],
  { onProgress, waitSeconds = 180 }: LoadOptions = {},
): Promise<void> {
  const inNode = await nodeImages(node).catch(() => new Set<string>())
  const missing = refs.filter(ref => !inNode.has(ref))
  for (const ref of refs) onProgress?.({ ref, step: inNode.has(ref) ? 'present' : 'loading' })
  if (missing.length === 0) return
  const platform = await enginePlatform()
  await Promise.all(streamsFor(missing).map(stream => copyImages(node, stream, platform, waitSeconds)))
  const copied = await nodeImages(node)
  const lost = missing.find(ref => !copied.has(ref))
  if (lost)
    throw new LabError({
      found: `The image ${lost} is missing in the node ${node} after the copy`,
      next: `docker image rm ${lost}, then repeat`,
    })
  for (const ref of missing) onProgress?.({ ref, step: 'loaded' })
}

/**
 * Splits the images into two streams: Docker packs one while the node unpacks the other. More would pack shared layers
 * more often.
 */
function streamsFor(refs: readonly string[]): (readonly string[])[] {
  const middle = Math.ceil(refs.length / 2)
  return refs.length < 4 ? [refs] : [refs.slice(0, middle), refs.slice(middle)]
}

/** Returns the full names of the images in a node. */
async function nodeImages(node: string): Promise<Set<string>> {
  const names = await docker(['exec', node, 'ctr', '--namespace=k8s.io', 'images', 'ls', '-q'])
  return new Set(names.split('\n').filter(Boolean))
}

/** Exit code of the script below when containerd did not respond in time. */
const nodeTimedOut = 75

/**
 * Pipes `docker save` into `ctr images import` in a shell, so that gigabytes do not pass through this process. Saving
 * starts at once: the classic image store writes everything to disk before the first byte comes out, and does so while
 * the node starts.
 *
 * Only the node's platform is imported. With the containerd image store, an engine saves an index that names platforms
 * whose layers it never pulled, and importing all platforms, as `kind load` does, fails on the first of them
 * (kubernetes-sigs/kind#3795). `--local` unpacks in ctr itself, in half the time of containerd's transfer service.
 * `--discard-unpacked-layers` keeps no compressed copy of a layer.
 */
const copyScript = `
node=$1 platform=$2 tries=$3; shift 3
docker save "$@" | {
  until docker exec "$node" ctr version >/dev/null 2>&1; do
    [ "$tries" -gt 0 ] || exit ${nodeTimedOut}
    tries=$((tries - 1)); sleep 0.4
  done
  docker exec -i "$node" ctr --namespace=k8s.io images import --local --discard-unpacked-layers --platform "$platform" -
}`

async function copyImages(node: string, refs: readonly string[], platform: string, waitSeconds: number): Promise<void> {
  const tries = String(Math.ceil(waitSeconds / 0.5))
  const result = await execa('sh', ['-c', copyScript, 'sh', node, platform, tries, ...refs], { reject: false })
  if (!result.failed) return
  if (result.exitCode === nodeTimedOut)
    throw new LabError({
      found: `containerd in the node ${node} did not respond within ${waitSeconds} s`,
      next: './lab doctor',
    })
  // When saving fails, the import reports a follow-up error: the first error is the cause
  const lines = result.stderr.split('\n')
  const message = lines.find(line => /^error|no such/i.test(line)) ?? lines.at(-1)
  throw new LabError({
    found: `Copying images into the node ${node} failed: ${message}`,
    next: './lab up again; if it fails again: ./lab doctor',
    cause: result,
  })
}
