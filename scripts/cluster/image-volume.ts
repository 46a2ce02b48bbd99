import { createHash } from 'node:crypto'
import { execa } from 'execa'
import { dockerLabel } from '../../shared/names.ts'
import { docker } from '../engine/docker.ts'
import { findDockerImages } from '../supplies/docker-images.ts'

// Keeps the node's images in a Docker volume. Copying them takes longer than booting the node, so `lab down` leaves the
// volume, like the images on the Docker host, and the next node starts with it.

/** Where containerd keeps images, in the node and in the volume's own containers. */
export const containerdFolder = '/var/lib/containerd'

/** A volume that a node can be created with. */
export interface ImageVolume {
  /** The volume's folder on the engine's machine. kind mounts folders only, not volumes. */
  folder: string
  /** Whether the images are in it. */
  filled: boolean
}

/** Returns the name of a cluster's volume. */
export const imageVolumeName = (cluster: string): string => `${cluster}-images`

/** Exit codes of the script below. */
const unusable = 3
const stale = 4

/**
 * Removes what the containers of the last node left in the volume, and keeps the images. The volume is stale if its
 * images are not those on the Docker host, or if they were not known to be on the disk before a power cut could have
 * damaged them. It is unusable where the engine mounts another folder than the volume's, as an engine in a virtual
 * machine may.
 */
export const cleanScript = `
purpose=$1 key=$2
[ "$(stat -c %d:%i ${containerdFolder})" = "$(stat -c %d:%i /folder)" ] || exit ${unusable}
[ "$purpose" != create ] || exit 0
cd ${containerdFolder}
[ "$purpose" = clean ] || [ "$(cat lab-images 2>/dev/null)" = "$key" ] || exit ${stale}
if [ -e lab-clean ]; then
  # The node that is about to start makes it dirty again.
  [ "$purpose" = clean ] || rm lab-clean
  exit 0
fi
printf 'version = 2\\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]\\n' > /tmp/containerd.toml
containerd --config /tmp/containerd.toml >/dev/null 2>&1 &
containerd=$!
tries=100
until ctr version >/dev/null 2>&1; do
  [ "$tries" -gt 0 ] || exit ${stale}
  tries=$((tries - 1)); sleep 0.1
done
containers=$(ctr --namespace=k8s.io containers ls -q) || exit ${stale}
[ -z "$containers" ] || ctr --namespace=k8s.io containers rm $containers >/dev/null || exit ${stale}
for kind in sandboxes leases; do
  left=$(ctr --namespace=k8s.io $kind ls | awk 'NR > 1 { print $1 }')
  [ -z "$left" ] || ctr --namespace=k8s.io $kind rm $left >/dev/null 2>&1
done
kill $containerd; wait
rm -rf io.containerd.grpc.v1.cri io.containerd.cri.v1.*
[ "$purpose" != clean ] || touch lab-clean
`

/**
 * Returns the volume for a new node, or undefined where the engine cannot mount it; the images are then copied.
 * @param nodeImage must be on the Docker host.
 */
export async function prepareImageVolume(
  cluster: string,
  nodeImage: string,
  refs: readonly string[],
): Promise<ImageVolume | undefined> {
  const name = imageVolumeName(cluster)
  const key = await imagesKey([nodeImage, ...refs])
  const existing = await inspectVolume(name)
  if (existing && !existing.own) return undefined
  if (existing && key !== undefined) {
    const exitCode = await runClean('use', name, existing.folder, nodeImage, key)
    if (exitCode === 0) return { folder: existing.folder, filled: true }
    if (exitCode === unusable) return undefined
  }
  await removeImageVolume(cluster)
  // A container of the user's own may still use it.
  if (await inspectVolume(name)) return undefined
  await docker(['volume', 'create', '--label', `${dockerLabel}=images`, name])
  const created = await inspectVolume(name)
  // Docker fills a new volume with what the image has in that folder.
  if (created && (await runClean('create', name, created.folder, nodeImage)) === 0)
    return { folder: created.folder, filled: false }
  await removeImageVolume(cluster)
  return undefined
}

async function runClean(
  purpose: 'create' | 'use' | 'clean',
  name: string,
  folder: string,
  nodeImage: string,
  key = '',
): Promise<number | undefined> {
  const mounts = ['--volume', `${name}:${containerdFolder}`, '--volume', `${folder}:/folder`]
  const options = ['--rm', '--privileged', '--network=none', '--label', `${dockerLabel}=images`, '--entrypoint', 'sh']
  const args = ['run', ...options, ...mounts, nodeImage, '-c', cleanScript, 'sh', purpose, key]
  return (await execa('docker', args, { reject: false })).exitCode
}

/**
 * Cleans the volume of a cluster that is deleted, so that nothing stays of what its containers wrote. Where that fails,
 * the next node does it.
 */
export async function cleanImageVolume(cluster: string, nodeImage: string): Promise<void> {
  const name = imageVolumeName(cluster)
  const volume = await inspectVolume(name)
  if (volume?.own) await runClean('clean', name, volume.folder, nodeImage)
}

/**
 * Records that the volume has the images, once they are on the disk. The node does this by itself, because writing
 * gigabytes to a slow disk takes a while.
 */
export async function recordImages(node: string, nodeImage: string, refs: readonly string[]): Promise<void> {
  const key = await imagesKey([nodeImage, ...refs])
  if (key === undefined) return
  const script = `cd ${containerdFolder} && [ "$(cat lab-images 2>/dev/null)" = "$1" ] || { sync -f . && echo "$1" > lab-images; }`
  await docker(['exec', '--detach', node, 'sh', '-c', script, 'sh', key])
}

/** Removes a cluster's volume, if there is one. */
export async function removeImageVolume(cluster: string): Promise<void> {
  const name = imageVolumeName(cluster)
  if ((await inspectVolume(name))?.own) await execa('docker', ['volume', 'rm', name], { reject: false })
}

/** @returns the volume's folder on the engine's machine, and whether a lab created it. */
async function inspectVolume(name: string): Promise<{ folder: string; own: boolean } | undefined> {
  const format = `{{.Mountpoint}}\t{{index .Labels "${dockerLabel}"}}`
  const result = await execa('docker', ['volume', 'inspect', '--format', format, name], { reject: false })
  if (result.failed) return undefined
  const [folder, label] = result.stdout.split('\t')
  return { folder: folder!, own: label === 'images' }
}

/** Returns a digest of the images, or undefined when one of them is not on the Docker host. */
async function imagesKey(refs: readonly string[]): Promise<string | undefined> {
  const images = await findDockerImages(refs)
  if (refs.some(ref => !images.has(ref))) return undefined
  const hash = createHash('sha256')
  for (const ref of refs.toSorted()) hash.update(`${ref} ${images.get(ref)!.id}\n`)
  return hash.digest('hex')
}
