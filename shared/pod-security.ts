import { namespaces } from './names.ts'
import type { Settings } from './settings/schema.ts'

// What pods may do. Kubernetes has three levels for it, the Pod Security Standards: privileged, baseline and restricted. Every pod of the lab is
// restricted, except those of the table below, each with what it needs and why. The table is what `lab verify` and the tests go by, and stands
// in SECURITY.md.

/** A rule of the restricted level, by the name that Kubernetes' own admission gives it. */
export type Control =
  | 'allowPrivilegeEscalation'
  | 'appArmorProfile'
  | 'capabilities'
  | 'hostNamespaces'
  | 'hostPorts'
  | 'hostProbes'
  | 'privileged'
  | 'procMount'
  | 'runAsNonRoot'
  | 'runAsUser'
  | 'seLinuxOptions'
  | 'seccompProfile'
  | 'sysctls'
  | 'volumes'
  | 'windowsHostProcess'

/** A workload that cannot be restricted. */
export interface Exception {
  namespace: string
  /** Name of its Deployment or DaemonSet. */
  workload: string
  /** The rules that it breaks: these, and no other. */
  breaks: Control[]
  why: string
  /** The setting with which it is there; without it there is no such exception. */
  only?: { setting: string; is: (settings: Settings) => boolean }
}

const upstream = {
  setting: '`guestbook.images: upstream`',
  is: ({ guestbook }: Settings) => guestbook.images === 'upstream',
}
/** What a pod that says nothing of its rights leaves open. */
const silent: Control[] = ['allowPrivilegeEscalation', 'capabilities', 'runAsNonRoot', 'seccompProfile']
/** A file of root on the node: one volume, and the user that may open it. */
const readsTheNode: Control[] = ['volumes', 'runAsNonRoot', 'runAsUser']

export const exceptions: Exception[] = [
  {
    namespace: namespaces.monitoring,
    workload: 'tetragon',
    breaks: [...silent, 'volumes', 'runAsUser', 'privileged', 'hostNamespaces'],
    why: "it loads programs into the machine's kernel, reads the processes of the machine and writes the event file",
  },
  {
    namespace: namespaces.monitoring,
    workload: 'tetragon-rthooks',
    breaks: [...silent, 'volumes'],
    why: "it talks to the node's container runtime, to hold a container until its policies are loaded",
    only: { setting: '`tetragon.runtimeHooks`', is: ({ tetragon }) => tetragon.runtimeHooks },
  },
  {
    namespace: namespaces.monitoring,
    workload: 'tetragon-replay',
    breaks: [...readsTheNode, 'hostNamespaces', 'hostPorts'],
    why: "it takes the agent's place: the event file of root on the node, and the agent's port on the node",
  },
  {
    namespace: namespaces.monitoring,
    workload: 'opentelemetry-collector-agent',
    breaks: readsTheNode,
    why: 'it reads the event file, which belongs to root, and keeps its queue on the node',
  },
  {
    namespace: namespaces.monitoring,
    workload: 'fluent-bit',
    breaks: readsTheNode,
    why: 'it reads the event file, which belongs to root, and keeps its queue on the node',
  },
  {
    namespace: namespaces.monitoring,
    workload: 'kube-prometheus-stack-prometheus-node-exporter',
    breaks: ['volumes', 'hostNamespaces', 'hostPorts'],
    why: 'it measures the node from the inside: its processes, network and file systems, read-only and not as root',
  },
  {
    namespace: namespaces.application,
    workload: 'visitor',
    breaks: [...silent, 'runAsUser'],
    why: 'it is the careless pod that the exercises are about: root, with a token, so that policies have something to stop',
  },
  {
    namespace: namespaces.application,
    workload: 'frontend',
    breaks: silent,
    why: 'the original image starts a web server as root on port 80',
    only: upstream,
  },
  {
    namespace: namespaces.application,
    workload: 'redis-follower',
    breaks: silent,
    why: 'the original image starts as root',
    only: upstream,
  },
]

/** The exceptions that hold with these settings. */
export const exceptionsWith = (settings: Settings): Exception[] =>
  exceptions.filter(({ only }) => !only || only.is(settings))

/**
 * The level that the API server holds a namespace to: no pod of a higher one is taken in. `application` has one pod that runs as root, which baseline
 * allows; what looks at the node can only be where everything is allowed.
 */
export const enforced = { application: 'baseline', monitoring: 'privileged' } as const
