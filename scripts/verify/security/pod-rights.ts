import { labNamespaces } from '../../../shared/names.ts'
import { exceptionsWith, type PodSecurityException } from '../../../shared/pod-security.ts'
import { kubectlJson, runKubectl } from '../../cluster/kubectl.ts'
import { type ObjectMetadata, workloadOf } from '../../cluster/workloads.ts'
import type { Context } from '../../context/context.ts'
import { checksOf, type VerifyCheck, withProof } from '../verify-check.ts'
import { type PodSpec, violations } from './restricted.ts'

const { ok, fail, skip } = checksOf('security')

/** A pod as Kubernetes reports it. */
export interface Pod {
  metadata: ObjectMetadata
  spec: PodSpec
  status?: { phase?: string }
}

/** Checks that every pod is restricted, except for the documented exceptions. */
export async function verifyPodRights(context: Context): Promise<VerifyCheck[]> {
  const names = labNamespaces(context.settings)
  const lists = await Promise.all(
    names.map(namespace => kubectlJson<{ items: Pod[] }>(context, ['get', 'pods', '-n', namespace])),
  )
  const pods = lists.flatMap(({ items }) => items).filter(({ status }) => status?.phase !== 'Succeeded')
  const admission = await Promise.all(names.map(namespace => verifyAdmission(context, namespace, pods)))
  return [...judgePods(pods, exceptionsWith(context.settings)), ...admission]
}

/** Checks each workload against the restricted level of the Pod Security Standards. */
export function judgePods(pods: Pod[], exceptions: PodSecurityException[]): VerifyCheck[] {
  const workloads = Map.groupBy(pods, pod => `${pod.metadata.namespace}/${workloadOf(pod)}`)
  return [...workloads].map(([title, [pod]]) => judgePod(title, pod!, exceptions))
}

function judgePod(title: string, pod: Pod, exceptions: PodSecurityException[]): VerifyCheck {
  const { metadata, spec } = pod
  const found = violations(spec, metadata.annotations)
  if (found.length === 0) return ok(title, 'restricted')
  const exception = exceptions.find(
    ({ namespace, workload }) => namespace === metadata.namespace && workload === workloadOf(pod),
  )
  const unexpected = found.filter(({ control }) => !exception?.breaks.includes(control))
  if (exception && unexpected.length === 0) {
    const controls = new Set(found.map(({ control }) => control))
    return skip(title, `not restricted (${[...controls].join(', ')}), because ${exception.why}`)
  }
  return fail(title, {
    found: unexpected.map(({ control, found }) => `${control}: ${found}`).join('; '),
    expected: exception ? `only ${exception.breaks.join(', ')}` : 'the restricted level of Pod Security',
    next: `./lab kubectl -n ${metadata.namespace} get pod ${metadata.name} -o yaml`,
  })
}

const admissionTitle = (namespace: string): string => `${namespace}, according to the API server`

/** Asks the API server, by a dry run, which pods it would reject if the namespace allowed only restricted ones. */
async function verifyAdmission(context: Context, namespace: string, pods: Pod[]): Promise<VerifyCheck> {
  const args = ['label', '--dry-run=server', '--overwrite', 'namespace', namespace]
  const label = 'pod-security.kubernetes.io/enforce=restricted'
  const { stderr, failed } = await runKubectl(context, [...args, label])
  if (failed) return fail(admissionTitle(namespace), { found: stderr, next: './lab status' })
  return withProof(`./lab kubectl ${args.join(' ')} ${label}`, judgeAdmission(namespace, stderr, pods))
}

/**
 * Checks that the API server counts as many pods that are not restricted as the lab does.
 * @param warnings of kubectl: one for each reason, with the first pod and the number of other pods.
 */
export function judgeAdmission(namespace: string, warnings: string, pods: Pod[]): VerifyCheck {
  const title = admissionTitle(namespace)
  const counts = [...warnings.matchAll(/^Warning: ([a-z0-9.-]+)(?: \(and (\d+) other pods?\))?: /gm)]
  const rejected = counts.reduce((sum, [, , others]) => sum + 1 + Number(others ?? 0), 0)
  const inNamespace = pods.filter(({ metadata }) => metadata.namespace === namespace)
  const expected = inNamespace.filter(({ metadata, spec }) => violations(spec, metadata.annotations).length > 0).length
  const found = `${rejected} of ${inNamespace.length} pods are not restricted`
  return rejected === expected
    ? ok(title, found)
    : fail(title, {
        found,
        expected: `${expected}, as in the checks above`,
        next: `./lab kubectl get pods -n ${namespace}`,
      })
}
