import { execa } from 'execa'
import { namespaces } from '../../shared/names.ts'
import { type Exception, exceptionsWith } from '../../shared/pod-security.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { kubeArgs, kubectlJson } from '../cluster/kubectl.ts'
import { type Metadata, workloadOf } from '../cluster/workloads.ts'
import { type PodSpec, violations } from './restricted.ts'
import { fail, ok, proven, skip, type VerifyCheck } from './verify-check.ts'

// Pods may do no more than they need, and connect to no more.

const area = 'security'

/** A pod as Kubernetes has it. */
export interface Pod {
  metadata: Metadata
  spec: PodSpec
  status?: { phase?: string }
}

/** Every pod, and who may connect to whom. */
export async function verifySecurity(settings: Settings): Promise<VerifyCheck[]> {
  const lists = await Promise.all(
    Object.values(namespaces).map(namespace => kubectlJson<{ items: Pod[] }>(['get', 'pods', '-n', namespace])),
  )
  const pods = lists.flatMap(({ items }) => items).filter(({ status }) => status?.phase !== 'Succeeded')
  const [admission, network] = await Promise.all([
    Promise.all(Object.values(namespaces).map(namespace => askAdmission(namespace, pods))),
    verifyNetwork(settings),
  ])
  return [...judgePods(pods, exceptionsWith(settings)), ...admission, network]
}

/** Each workload, held against the restricted level; what cannot be restricted is named, with the reason. */
export function judgePods(pods: Pod[], exceptions: Exception[]): VerifyCheck[] {
  const workloads = Map.groupBy(pods, pod => `${pod.metadata.namespace}/${workloadOf(pod)}`)
  return [...workloads].map(([title, [pod]]) => {
    const { metadata, spec } = pod!
    const broken = violations(spec, metadata.annotations)
    const exception = exceptions.find(
      ({ namespace, workload }) => namespace === metadata.namespace && workload === workloadOf(pod!),
    )
    const more = broken.filter(({ control }) => !exception?.breaks.includes(control))
    if (more.length > 0)
      return fail(
        area,
        title,
        more.map(({ control, found }) => `${control}: ${found}`).join('; '),
        exception ? `only ${exception.breaks.join(', ')}` : 'the restricted level of Pod Security',
        `./lab kubectl -n ${metadata.namespace} get pod ${metadata.name} -o yaml`,
      )
    if (broken.length === 0) return ok(area, title, 'restricted')
    return skip(
      area,
      title,
      `not restricted (${[...new Set(broken.map(({ control }) => control))].join(', ')}), because ${exception!.why}`,
    )
  })
}

/** The API server judges for itself: what would it say to the pods that are there, if only restricted ones were allowed? Nothing is changed by asking. */
async function askAdmission(namespace: string, pods: Pod[]): Promise<VerifyCheck> {
  const args = ['label', '--dry-run=server', '--overwrite', 'namespace', namespace]
  const label = 'pod-security.kubernetes.io/enforce=restricted'
  const { stderr, failed } = await execa('kubectl', [...kubeArgs(), ...args, label], { reject: false, stdin: 'ignore' })
  const title = `${namespace}, as the API server judges`
  if (failed) return fail(area, title, stderr, 'an answer from the cluster', './lab status')
  return proven(`./lab kubectl ${args.join(' ')} ${label}`, judgeAdmission(namespace, stderr, pods))
}

/** @param warnings what kubectl prints of them: each reason once, with the first pod that it is said of and how many others there are */
export function judgeAdmission(namespace: string, warnings: string, pods: Pod[]): VerifyCheck {
  const title = `${namespace}, as the API server judges`
  const counts = [...warnings.matchAll(/^Warning: ([a-z0-9.-]+)(?: \(and (\d+) other pods?\))?: /gm)]
  const refused = counts.reduce((sum, [, , others]) => sum + 1 + Number(others ?? 0), 0)
  const here = pods.filter(({ metadata }) => metadata.namespace === namespace)
  const found = here.filter(({ metadata, spec }) => violations(spec, metadata.annotations).length > 0)
  const says = `${refused} of ${here.length} pods are not restricted`
  return refused === found.length
    ? ok(area, title, says)
    : fail(area, title, says, `${found.length}, as judged here`, `./lab kubectl get pods -n ${namespace}`)
}

/** Connections that the visitor may make, and some that it may not. */
const may = ['frontend:80']
const mayNot = ['redis-leader:6379', 'redis-follower:6379', `loki.${namespaces.monitoring}.svc:3100`]

/** Tries them, from the pod that has no business with them. */
const tryThem = `
const net = require('node:net')
const one = at => new Promise(done => {
  const [host, port] = at.split(':')
  const socket = net.connect({ host, port: Number(port), timeout: 2000 })
  const end = open => { socket.destroy(); done([at, open]) }
  socket.once('connect', () => end(true)).once('timeout', () => end(false)).once('error', () => end(false))
})
Promise.all(process.argv.slice(1).map(one)).then(all => console.log(JSON.stringify(Object.fromEntries(all))))
`

async function verifyNetwork(settings: Settings): Promise<VerifyCheck> {
  const title = 'network policies'
  if (!settings.cluster.networkPolicies)
    return skip(area, title, 'cluster.networkPolicies is off: any pod reaches any other, and the internet')
  const { stdout, stderr, failed } = await execa(
    'kubectl',
    [
      ...kubeArgs(settings),
      ...['-n', namespaces.application, 'exec', 'deploy/visitor', '--', 'node', '-e', tryThem, ...may, ...mayNot],
    ],
    { reject: false, stdin: 'ignore' },
  )
  if (failed)
    return skip(area, title, `the visitor, who was to try them, could not: ${stderr.trim().split('\n').at(-1)}`)
  return judgeNetwork(JSON.parse(stdout) as Record<string, boolean>)
}

/** A network either enforces policies or does not: then all that is forbidden is open. */
export function judgeNetwork(open: Record<string, boolean>): VerifyCheck {
  const title = 'network policies'
  const next = './lab kubectl get networkpolicies -A'
  const shut = may.filter(at => !open[at])
  if (shut.length > 0) return fail(area, title, `the visitor cannot reach ${shut.join(', ')}`, 'that it can', next)
  const through = mayNot.filter(at => open[at])
  if (through.length === mayNot.length)
    return skip(
      area,
      title,
      "are there, but the cluster's network does not enforce them: the visitor reaches Redis and Loki",
    )
  return through.length === 0
    ? ok(area, title, `are enforced: the visitor reaches the page, but not ${mayNot.join(', ')}`)
    : fail(area, title, `the visitor reaches ${through.join(', ')}`, 'that it cannot', next)
}
