import { namespaces } from './names.ts'
import type { Settings } from './settings/schema.ts'

// The Pod Security Standards have three levels: privileged, baseline and restricted. Every pod of the lab is
// restricted, except those in the table below, each with the reason. `lab verify`, the tests and SECURITY.md use this
// table.

/** A rule of the restricted level, by the name that Kubernetes' admission controller uses. */
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

/** A workload that cannot meet the restricted level. */
export interface PodSecurityException {
  namespace: string
  /** Name of its Deployment or DaemonSet. */
  workload: string
  /** The only rules that it may break. */
  breaks: Control[]
  why: string
  /** The setting that deploys it. Without that setting the exception does not apply. */
  only?: { setting: string; applies: (settings: Settings) => boolean }
}

const upstream = {
  setting: '`guestbook.images: upstream`',
  applies: ({ guestbook }: Settings) => guestbook.images === 'upstream',
}
/** The rules that a pod without a security context breaks. */
const noSecurityContext: Control[] = ['allowPrivilegeEscalation', 'capabilities', 'runAsNonRoot', 'seccompProfile']
/** The rules that a pod breaks by reading root's file on the node. */
const readsNodeFile: Control[] = ['volumes', 'runAsNonRoot', 'runAsUser']

export const podSecurityExceptions: PodSecurityException[] = [
  {
    namespace: namespaces.monitoring,
    workload: 'tetragon',
    breaks: [...noSecurityContext, 'volumes', 'runAsUser', 'privileged', 'hostNamespaces'],
    why: "it loads programs into the machine's kernel, reads the machine's processes and writes the event file",
  },
  {
    namespace: namespaces.monitoring,
    workload: 'tetragon-rthooks',
    breaks: [...noSecurityContext, 'volumes'],
    why: "it uses the node's container runtime to hold a container until its policies are loaded",
    only: { setting: '`tetragon.runtimeHooks`', applies: ({ tetragon }) => tetragon.runtimeHooks },
  },
  {
    namespace: namespaces.monitoring,
    workload: 'tetragon-replay',
    breaks: [...readsNodeFile, 'hostNamespaces', 'hostPorts'],
    why: "it replaces the agent: it writes root's event file on the node and listens on the agent's port there",
  },
  {
    namespace: namespaces.monitoring,
    workload: 'opentelemetry-collector-agent',
    breaks: readsNodeFile,
    why: 'it reads the event file, which root owns, and keeps its queue on the node',
  },
  {
    namespace: namespaces.monitoring,
    workload: 'fluent-bit',
    breaks: readsNodeFile,
    why: 'it reads the event file, which root owns, and keeps its queue on the node',
  },
  {
    namespace: namespaces.monitoring,
    workload: 'kube-prometheus-stack-prometheus-node-exporter',
    breaks: ['volumes', 'hostNamespaces', 'hostPorts'],
    why: "it measures the node's processes, network and file systems, read-only and not as root",
  },
  {
    namespace: namespaces.application,
    workload: 'visitor',
    breaks: [...noSecurityContext, 'runAsUser'],
    why: 'the exercises need a careless pod: root, with a token, so that policies have something to stop',
  },
  {
    namespace: namespaces.application,
    workload: 'frontend',
    breaks: noSecurityContext,
    why: 'the original image starts a web server as root on port 80',
    only: upstream,
  },
  {
    namespace: namespaces.application,
    workload: 'redis-follower',
    breaks: noSecurityContext,
    why: 'the original image starts as root',
    only: upstream,
  },
]

/** Returns the exceptions that apply with these settings. */
export const exceptionsWith = (settings: Settings): PodSecurityException[] =>
  podSecurityExceptions.filter(({ only }) => !only || only.applies(settings))

/**
 * The level that the API server enforces in each namespace. `application` has one pod that runs as root, which baseline
 * allows. The pods in `monitoring` that access the node need privileged.
 */
export const enforcedLevels = { application: 'baseline', monitoring: 'privileged' } as const
