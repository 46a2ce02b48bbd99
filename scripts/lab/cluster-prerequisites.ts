import { LabError } from '../../shared/lab-error.ts'
import { imagesOf } from '../../shared/lab-images.ts'
import { labNamespaces } from '../../shared/names.ts'
import { enforcedLevels } from '../../shared/pod-security.ts'
import { type NamedSecret, namedSecrets, secretNamespace } from '../../shared/settings/named-secrets.ts'
import { type ClusterAccess, kubectlJson, runKubectl } from '../cluster/kubectl.ts'
import type { Context } from '../context/context.ts'
import { acceptsPods, type Node } from '../kernel/node-kernel.ts'
import { requirePublishedFor } from '../supplies/pull-images.ts'

// What the settings need of a cluster of the user's own. Without it, pods would wait for minutes before Pulumi says that
// they do not start.

/**
 * Checks that the images are published for the nodes, and that the namespaces and Secrets that the settings name exist.
 * @throws LabError for the first image that is not published for a node, or the first object that is missing or lacks a
 * key, with the command that fixes it.
 */
export async function requireClusterPrerequisites(context: Context): Promise<void> {
  const { settings } = context
  await requirePublishedOnNodes(context)
  if (settings.cluster.namespaces === 'existing')
    for (const name of labNamespaces(settings)) await requireNamespace(context, name)
  for (const secret of namedSecrets(settings)) await requireSecret(context, secret)
}

async function requirePublishedOnNodes(context: Context): Promise<void> {
  const { settings, lock } = context
  // The event source is chosen later. No image of it is limited to a platform.
  const images = imagesOf({ settings, source: 'replay' }).map(name => lock.images[name])
  if (images.every(({ platforms }) => !platforms)) return
  const nodes = await kubectlJson<{ items: Node[] }>(context, ['get', 'nodes'])
  for (const { status } of nodes.items.filter(acceptsPods))
    requirePublishedFor(images, `linux/${status.nodeInfo.architecture}`)
}

async function requireNamespace(access: ClusterAccess, name: keyof typeof enforcedLevels): Promise<void> {
  const { failed, stderr } = await runKubectl(access, ['get', 'namespace', name, '-o', 'name'])
  if (!failed) return
  requireNotFound(stderr)
  const label = `pod-security.kubernetes.io/enforce=${enforcedLevels[name]}`
  throw new LabError({
    found: `The namespace ${name} does not exist, but cluster.namespaces is existing`,
    next: `./lab kubectl create namespace ${name} && ./lab kubectl label namespace ${name} ${label}`,
  })
}

/** Reads only the names of the keys. */
const keysTemplate = '{{range $key, $value := .data}}{{$key}} {{end}}'

async function requireSecret(access: ClusterAccess, { setting, name, keys }: NamedSecret): Promise<void> {
  const args = ['get', 'secret', name, '--namespace', secretNamespace, '-o', `go-template=${keysTemplate}`]
  const { failed, stdout, stderr } = await runKubectl(access, args)
  if (failed) requireNotFound(stderr)
  const found = stdout.trim().split(' ')
  const missing = keys.filter(key => !found.includes(key))
  if (!failed && missing.length === 0) return
  const create = ['./lab kubectl create secret generic', name, '-n', secretNamespace]
  throw new LabError({
    found: failed
      ? `The Secret ${name} does not exist in the namespace ${secretNamespace}, but ${setting} names it`
      : `The Secret ${secretNamespace}/${name} has no ${missing.join(' and no ')}`,
    next: `${failed ? '' : `./lab kubectl delete secret ${name} -n ${secretNamespace} && `}${create.join(' ')} ${keys.map(key => `--from-literal=${key}=…`).join(' ')}`,
  })
}

/** @throws LabError when kubectl failed for another reason than that there is no such object. */
function requireNotFound(stderr: string): void {
  if (!/\(NotFound\)/.test(stderr))
    throw new LabError({ found: `The cluster refused a question: ${stderr.trim()}`, next: './lab kubectl auth whoami' })
}
