import type { Control } from '../../shared/pod-security.ts'

// The restricted level of Kubernetes' Pod Security Standards, as rules: so that what the lab would make can be judged before there is an API
// server that would. Where there is one, `lab verify` asks it as well.

/** What a pod may be given; the same of each container, as far as it goes. */
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

/** A container, as far as its rights go. */
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

/** A pod's specification, as far as its rights go. */
export interface PodSpec {
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
  automountServiceAccountToken?: boolean
  serviceAccountName?: string
  securityContext?: SecurityContext
  /** Each with a name and its kind. */
  volumes?: Record<string, unknown>[]
  containers: Container[]
  initContainers?: Container[]
  ephemeralContainers?: Container[]
}

/** A rule that a pod breaks, and by what. */
export interface Violation {
  control: Control
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

/** All containers of a pod: of the start, of its life, and those that were put in to look. */
export const containersOf = ({ containers, initContainers = [], ephemeralContainers = [] }: PodSpec): Container[] => [
  ...initContainers,
  ...containers,
  ...ephemeralContainers,
]

/** The rules of the restricted level that a pod breaks; none for a pod that is restricted. */
export function violations(spec: PodSpec, annotations: Record<string, string> = {}): Violation[] {
  const found: Violation[] = []
  const breaks = (control: Control, by: string) => void found.push({ control, found: by })
  const pod = spec.securityContext ?? {}

  const shared = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter(name => spec[name])
  if (shared.length > 0) breaks('hostNamespaces', shared.join(', '))
  for (const { name, ...kinds } of spec.volumes ?? [])
    for (const kind of Object.keys(kinds))
      if (!volumeKinds.includes(kind)) breaks('volumes', `${kind} as ${String(name)}`)
  for (const { name } of pod.sysctls ?? []) if (!sysctls.includes(name)) breaks('sysctls', name)
  for (const [key, profile] of Object.entries(annotations))
    if (
      key.startsWith('container.apparmor.security.beta.kubernetes.io/') &&
      profile !== 'runtime/default' &&
      !profile.startsWith('localhost/')
    )
      breaks('appArmorProfile', profile)

  // What is said of the pod and of each container in the same words.
  const everywhere = (who: string, context: SecurityContext) => {
    const { appArmorProfile, seccompProfile, seLinuxOptions: seLinux } = context
    if (context.windowsOptions?.hostProcess) breaks('windowsHostProcess', who)
    if (context.runAsUser === 0) breaks('runAsUser', `${who} as 0`)
    if (seccompProfile && !confined.includes(seccompProfile.type))
      breaks('seccompProfile', `${who}: ${seccompProfile.type}`)
    if (appArmorProfile && !confined.includes(appArmorProfile.type))
      breaks('appArmorProfile', `${who}: ${appArmorProfile.type}`)
    if (seLinux && (!seLinuxTypes.includes(seLinux.type ?? '') || seLinux.user || seLinux.role))
      breaks('seLinuxOptions', who)
  }
  everywhere('the pod', pod)

  for (const container of containersOf(spec)) {
    const { name, securityContext: own = {}, ports = [], lifecycle = {} } = container
    const who = `container ${name}`
    everywhere(who, own)
    if (own.privileged) breaks('privileged', who)
    if (own.allowPrivilegeEscalation !== false) breaks('allowPrivilegeEscalation', who)
    if (!(own.runAsNonRoot ?? pod.runAsNonRoot)) breaks('runAsNonRoot', who)
    if (!(own.seccompProfile ?? pod.seccompProfile)) breaks('seccompProfile', `${who}: none`)
    if (own.procMount && own.procMount !== 'Default') breaks('procMount', `${who}: ${own.procMount}`)
    const { add = [], drop = [] } = own.capabilities ?? {}
    const added = add.filter(capability => capability !== 'NET_BIND_SERVICE')
    if (!drop.includes('ALL') || added.length > 0)
      breaks('capabilities', `${who} ${added.length > 0 ? `adds ${added.join(', ')}` : 'does not drop ALL'}`)
    // Where a pod is on the node's network, the API server makes each of its ports one of the node.
    const open = ports.map(({ hostPort, containerPort }) => hostPort || (spec.hostNetwork && containerPort))
    if (open.some(Boolean)) breaks('hostPorts', `${who}: ${open.filter(Boolean).join(', ')}`)
    const { livenessProbe, readinessProbe, startupProbe } = container
    for (const handler of [livenessProbe, readinessProbe, startupProbe, lifecycle.postStart, lifecycle.preStop]) {
      const host = handler?.httpGet?.host || handler?.tcpSocket?.host
      if (host) breaks('hostProbes', `${who} asks ${host}`)
    }
  }
  return found
}
