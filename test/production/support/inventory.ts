import { kubectl } from './cluster.ts'

/** Objects that Kubernetes itself makes and forgets. */
const passing =
  /^(events|leases|endpointslices|endpoints|controllerrevisions|csinodes|certificatesigningrequests|podmetrics|nodemetrics)(\.|$)/

/** Objects that Kubernetes makes in every namespace, a moment after it. */
const inEveryNamespace = /^(serviceaccounts \S+\/default|configmaps \S+\/kube-root-ca\.crt) /

/** Returns every object of the cluster, as `deployments.apps bystander/bystander UID`. */
export async function listObjects(): Promise<string[]> {
  const kinds = (await kubectl(['api-resources', '--verbs=list', '-o', 'name']))
    .split('\n')
    .filter(kind => kind !== '' && !passing.test(kind))
  const columns = 'N:.metadata.namespace,M:.metadata.name,U:.metadata.uid'
  const objects: string[] = []
  for (const kind of kinds) {
    const list = await kubectl(['get', kind, '--all-namespaces', '--no-headers', '-o', `custom-columns=${columns}`])
    for (const line of list.split('\n').filter(Boolean)) {
      const [namespace, name, uid] = line.trim().split(/\s+/)
      objects.push(`${kind} ${namespace === '<none>' ? '' : `${namespace}/`}${name} ${uid}`)
    }
  }
  return objects.filter(object => !inEveryNamespace.test(object)).sort()
}

/** Returns the objects that are gone and those that are new. */
export function changesBetween(
  before: readonly string[],
  after: readonly string[],
): { gone: string[]; added: string[] } {
  const [was, is] = [new Set(before), new Set(after)]
  return { gone: before.filter(object => !is.has(object)), added: after.filter(object => !was.has(object)) }
}
