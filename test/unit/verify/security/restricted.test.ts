import { existsSync } from 'node:fs'
import { execa } from 'execa'
import { describe, expect, it, test } from 'vitest'
import { type Container, type PodSpec, violations } from '../../../../scripts/verify/security/restricted.ts'
import { chartFile, chartNames } from '../../../../shared/lock.ts'
import { type Control, podSecurityExceptions } from '../../../../shared/pod-security.ts'
import { lock } from '../../../charts/chart-values.ts'
import { readWorkloads, renderCharts } from '../../../charts/render.ts'

const container: Container = {
  name: 'main',
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
}
const restricted: PodSpec = {
  securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  volumes: [
    { name: 'a', configMap: {} },
    { name: 'b', emptyDir: {} },
    { name: 'c', projected: {} },
  ],
  containers: [container],
}
const controls = (spec: PodSpec, annotations = {}): Control[] => [
  ...new Set(violations(spec, annotations).map(({ control }) => control)),
]
const withContainer = (more: Partial<Container>, context: Container['securityContext'] = {}): PodSpec => ({
  ...restricted,
  containers: [{ ...container, ...more, securityContext: { ...container.securityContext, ...context } }],
})
const withPod = (more: Partial<PodSpec>, context: PodSpec['securityContext'] = {}): PodSpec => ({
  ...restricted,
  ...more,
  securityContext: { ...restricted.securityContext, ...context },
})

describe('violations', () => {
  it('finds none in a restricted pod', () => {
    expect(violations(restricted)).toEqual([])
    expect(violations(withContainer({}, { capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } }))).toEqual([])
    expect(violations(withPod({}, { sysctls: [{ name: 'net.ipv4.tcp_rmem' }], runAsUser: 1000 }))).toEqual([])
  })

  test.each<[Control, PodSpec]>([
    ['hostNamespaces', withPod({ hostPID: true })],
    ['hostNamespaces', withPod({ hostNetwork: true })],
    ['volumes', withPod({ volumes: [{ name: 'node', hostPath: { path: '/' } }] })],
    ['volumes', withPod({ volumes: [{ name: 'share', nfs: {} }] })],
    ['sysctls', withPod({}, { sysctls: [{ name: 'kernel.msgmax' }] })],
    ['runAsUser', withPod({}, { runAsUser: 0 })],
    ['runAsUser', withContainer({}, { runAsUser: 0 })],
    ['runAsNonRoot', withPod({}, { runAsNonRoot: undefined })],
    ['runAsNonRoot', withContainer({}, { runAsNonRoot: false })],
    ['seccompProfile', withPod({}, { seccompProfile: undefined })],
    ['seccompProfile', withContainer({}, { seccompProfile: { type: 'Unconfined' } })],
    ['seLinuxOptions', withPod({}, { seLinuxOptions: { type: 'spc_t' } })],
    ['seLinuxOptions', withContainer({}, { seLinuxOptions: { user: 'root' } })],
    ['appArmorProfile', withContainer({}, { appArmorProfile: { type: 'Unconfined' } })],
    ['windowsHostProcess', withPod({}, { windowsOptions: { hostProcess: true } })],
    ['privileged', withContainer({}, { privileged: true })],
    ['allowPrivilegeEscalation', withContainer({}, { allowPrivilegeEscalation: undefined })],
    ['capabilities', withContainer({}, { capabilities: { drop: ['NET_RAW'] } })],
    ['capabilities', withContainer({}, { capabilities: { drop: ['ALL'], add: ['SYS_ADMIN'] } })],
    ['procMount', withContainer({}, { procMount: 'Unmasked' })],
    ['hostPorts', withContainer({ ports: [{ containerPort: 80, hostPort: 80 }] })],
    ['hostProbes', withContainer({ readinessProbe: { httpGet: { host: '169.254.169.254' } } })],
    ['hostProbes', withContainer({ lifecycle: { preStop: { tcpSocket: { host: '10.0.0.1' } } } })],
    [
      'allowPrivilegeEscalation',
      { ...restricted, initContainers: [{ name: 'first', securityContext: { capabilities: { drop: ['ALL'] } } }] },
    ],
    [
      'runAsUser',
      {
        ...restricted,
        ephemeralContainers: [{ ...container, securityContext: { ...container.securityContext, runAsUser: 0 } }],
      },
    ],
  ])('finds %s, and nothing else', (control, spec) => {
    expect(controls(spec)).toEqual([control])
  })

  it('finds appArmorProfile also in the deprecated annotation', () => {
    const key = 'container.apparmor.security.beta.kubernetes.io/main'
    expect(controls(restricted, { [key]: 'unconfined' })).toEqual(['appArmorProfile'])
    expect(controls(restricted, { [key]: 'runtime/default' })).toEqual([])
  })

  it('finds hostPorts for every port of a pod on the network of the node', () => {
    const spec = { ...withContainer({ ports: [{ containerPort: 9100 }] }), hostNetwork: true }
    expect(controls(spec)).toEqual(['hostNamespaces', 'hostPorts'])
  })
})

describe('workloads of the charts', () => {
  const workloads = readWorkloads()

  it('are recorded from the chart versions in the lock', async ({ skip }) => {
    const helm = await execa('helm', ['version', '--short'], { reject: false })
    if (helm.failed) return skip('no helm on PATH')
    const missing = chartNames.find(name => !existsSync(chartFile(lock, name)))
    if (missing) return skip(`chart ${missing} is not in .lab/charts`)
    const made = workloads.filter(({ chart }) => chart !== 'prometheus-operator')
    expect(await renderCharts(), 'run: node test/charts/render.ts').toEqual(made)
  })

  it('include those of every chart, and Prometheus itself', () => {
    expect(new Set(workloads.map(({ chart }) => chart))).toEqual(new Set([...chartNames, 'prometheus-operator']))
  })

  test.each(workloads.map(each => [each.name, each] as const))(
    '%s breaks exactly the rules of its exception, or none',
    (name, each) => {
      const exception = podSecurityExceptions.find(
        ({ namespace, workload }) => namespace === each.namespace && workload === name,
      )
      // An exception must not name a rule that the workload keeps.
      expect(new Set(controls(each.spec))).toEqual(new Set(exception?.breaks))
    },
  )

  it('have an API token only if they need one', () => {
    const token = workloads.filter(({ spec }) => spec.automountServiceAccountToken !== false).map(({ name }) => name)
    expect(token.sort()).toEqual([
      'kube-prometheus-stack-kube-state-metrics',
      'kube-prometheus-stack-operator',
      'prometheus-kube-prometheus-stack-prometheus',
      'tetragon',
      'tetragon-operator',
      'tetragon-rthooks',
    ])
  })

  it('read the password of Grafana from a Secret, and have no other fixed environment variable', () => {
    const [container] = workloads.find(({ name }) => name === 'grafana')!.spec.containers
    const password = container!.env?.find(({ name }) => name === 'GF_SECURITY_ADMIN_PASSWORD')
    expect(password).toEqual({
      name: 'GF_SECURITY_ADMIN_PASSWORD',
      valueFrom: { secretKeyRef: { name: 'grafana-admin', key: 'admin-password' } },
    })
    for (const { name, spec } of workloads)
      for (const { env = [] } of spec.containers)
        expect(
          env.filter(({ value }) => value !== undefined && value !== ''),
          name,
        ).toEqual([])
  })
})
