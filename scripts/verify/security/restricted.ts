import type { Control } from '../../../shared/pod-security.ts'

// The rules of the restricted level of Kubernetes' Pod Security Standards. With them, tests can check a pod without an
// API server.

/** The fields of a security context that the rules read. A pod and a container each have some of them. */
interface SecurityContext {
  allowPrivilegeEscalation?: boolean
  appArmorProfile?: { type: string }
  capabilities?: { add?: string[]; drop?: string[] }
  privileged?: boolean
  procMount?: string
  readOnlyRootFilesystem?: boolean
  runAsNonRoot?: boolean
  runAsUser?: number
  seLinuxOptions?: { type?: string; user?: string; role?: string }
  seccompProfile?: { type: string }
  sysctls?: { name: string }[]
  windowsOptions?: { hostProcess?: boolean }
}

interface Handler {
  httpGet?: { host?: string }
  tcpSocket?: { host?: string }
}

/** The fields of a container that the rules read. */
export interface Container {
  name: string
  image?: string
  securityContext?: SecurityContext
  ports?: { name?: string; containerPort: number; hostPort?: number; protocol?: string }[]
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef?: { name: string; key: string } } }[]
  livenessProbe?: Handler
  readinessProbe?: Handler
  startupProbe?: Handler
  lifecycle?: { postStart?: Handler; preStop?: Handler }
}

/** The fields of a pod's specification that the rules read. */
export interface PodSpec {
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
  automountServiceAccountToken?: boolean
  securityContext?: SecurityContext
  /** Each has a `name` and one key that is its kind. */
  volumes?: Record<string, unknown>[]
  containers: Container[]
  initContainers?: Container[]
  ephemeralContainers?: Container[]
}

/** A rule that a pod breaks. */
export interface Violation {
  control: Control
  /** The field or container that breaks it. */
  found: string
}

const volumeKinds = [
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]
const sysctls = [
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ping_group_range',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.tcp_wmem',
]
const seLinuxTypes = ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']
const confined = ['RuntimeDefault', 'Localhost']

/** Returns the init, main and ephemeral containers of a pod. */
export const containersOf = ({ containers, initContainers = [], ephemeralContainers = [] }: PodSpec): Container[] => [
  ...initContainers,
  ...containers,
  ...ephemeralContainers,
]

/** Returns the rules of the restricted level that a pod breaks. */
export function violations(spec: PodSpec, annotations: Record<string, string> = {}): Violation[] {
  const pod = spec.securityContext ?? {}
  return [
    ...podViolations(spec, annotations),
    ...contextViolations('the pod', pod),
    ...containersOf(spec).flatMap(container => [
      ...contextViolations(`container ${container.name}`, container.securityContext ?? {}),
      ...containerViolations(container, pod, spec.hostNetwork),
    ]),
  ]
}

function podViolations(spec: PodSpec, annotations: Record<string, string>): Violation[] {
  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter(name => spec[name])
  const volumes = (spec.volumes ?? []).flatMap(({ name, ...kinds }) =>
    Object.keys(kinds)
      .filter(kind => !volumeKinds.includes(kind))
      .map(kind => `${kind} as ${name}`),
  )
  const unsafeSysctls = (spec.securityContext?.sysctls ?? []).filter(({ name }) => !sysctls.includes(name))
  const profiles = Object.entries(annotations)
    .filter(([key]) => key.startsWith('container.apparmor.security.beta.kubernetes.io/'))
    .filter(([, profile]) => profile !== 'runtime/default' && !profile.startsWith('localhost/'))
  return [
    ...(shared.length > 0 ? [{ control: 'hostNamespaces' as const, found: shared.join(', ') }] : []),
    ...volumes.map(found => ({ control: 'volumes' as const, found })),
    ...unsafeSysctls.map(({ name }) => ({ control: 'sysctls' as const, found: name })),
    ...profiles.map(([, found]) => ({ control: 'appArmorProfile' as const, found })),
  ]
}

/** Checks the fields that a pod and its containers have in common. */
function contextViolations(owner: string, context: SecurityContext): Violation[] {
  const { appArmorProfile, seccompProfile, seLinuxOptions: seLinux } = context
  const found: Violation[] = []
  const report = (control: Control, by: string) => found.push({ control, found: by })
  if (context.windowsOptions?.hostProcess) report('windowsHostProcess', owner)
  if (context.runAsUser === 0) report('runAsUser', `${owner} as 0`)
  if (seccompProfile && !confined.includes(seccompProfile.type))
    report('seccompProfile', `${owner}: ${seccompProfile.type}`)
  if (appArmorProfile && !confined.includes(appArmorProfile.type))
    report('appArmorProfile', `${owner}: ${appArmorProfile.type}`)
  if (seLinux && (!seLinuxTypes.includes(seLinux.type ?? '') || seLinux.user || seLinux.role))
    report('seLinuxOptions', owner)
  return found
}

/** Checks the fields that only containers have, or that a container inherits from its pod. */
function containerViolations(container: Container, pod: SecurityContext, hostNetwork = false): Violation[] {
  const { name, securityContext: context = {}, ports = [], lifecycle = {} } = container
  const owner = `container ${name}`
  const found: Violation[] = []
  const report = (control: Control, by: string) => found.push({ control, found: by })
  if (context.privileged) report('privileged', owner)
  if (context.allowPrivilegeEscalation !== false) report('allowPrivilegeEscalation', owner)
  if (!(context.runAsNonRoot ?? pod.runAsNonRoot)) report('runAsNonRoot', owner)
  if (!(context.seccompProfile ?? pod.seccompProfile)) report('seccompProfile', `${owner}: none`)
  if (context.procMount && context.procMount !== 'Default') report('procMount', `${owner}: ${context.procMount}`)
  const { add = [], drop = [] } = context.capabilities ?? {}
  const added = add.filter(capability => capability !== 'NET_BIND_SERVICE')
  if (added.length > 0) report('capabilities', `${owner} adds ${added.join(', ')}`)
  else if (!drop.includes('ALL')) report('capabilities', `${owner} does not drop ALL`)
  // With the node's network, the API server makes each port of the container a host port.
  const hostPorts = ports
    .map(({ hostPort, containerPort }) => hostPort || (hostNetwork && containerPort))
    .filter(Boolean)
  if (hostPorts.length > 0) report('hostPorts', `${owner}: ${hostPorts.join(', ')}`)
  const { livenessProbe, readinessProbe, startupProbe } = container
  for (const handler of [livenessProbe, readinessProbe, startupProbe, lifecycle.postStart, lifecycle.preStop]) {
    const host = handler?.httpGet?.host || handler?.tcpSocket?.host
    if (host) report('hostProbes', `${owner} connects to ${host}`)
  }
  return found
}
