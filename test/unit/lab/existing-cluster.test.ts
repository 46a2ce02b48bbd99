import { afterEach, beforeEach, expect, it } from 'vitest'
import { ownPolicies, removeLeftovers } from '../../../scripts/lab/existing-cluster.ts'
import { readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'

let programs: FakePrograms
beforeEach(() => {
  programs = fakePrograms()
})
afterEach(() => programs.restore())

const context = (cluster: object = {}, more: object = {}) => ({
  settings: parseSettings({ cluster: { mode: 'existing', context: 'mine', ...cluster }, ...more }),
  lock: readLock(''),
  env: programs.env,
})

const named = (namespace: string, name: string, spec: object = {}) => ({ metadata: { namespace, name }, spec })

interface Cluster {
  deployments?: object[]
  pods?: object[]
  daemonsets?: object[]
  phase?: string
}

/** Sets what kubectl finds in a cluster of two nodes, from which the lab has been destroyed. */
function cluster({ deployments = [], pods = [], daemonsets = [], phase = 'Succeeded' }: Cluster): void {
  const answer = (items: object[]): string => `echo '${JSON.stringify({ items })}'`
  programs.write(
    'kubectl',
    `#!/bin/sh
folder=\${0%/*}
shift 4
echo "kubectl $*" >> "$folder/calls"
case "$*" in
  "get deployments "*) ${answer(deployments)} ;;
  "get pods --all-namespaces "*) ${answer(pods)} ;;
  "get daemonsets "*) ${answer(daemonsets)} ;;
  "get nodes "*) ${answer([named('', 'one'), named('', 'two')])} ;;
  "get pods --namespace=default "*) ${answer(['one', 'two'].map(nodeName => ({ spec: { nodeName }, status: { phase } })))} ;;
  "create "*) cat > "$folder/created" ;;
esac
`,
  )
}

const created = () =>
  JSON.parse(programs.read('created')).items as {
    spec: { nodeName: string; containers: [{ command: string[]; securityContext: object }]; volumes: object[] }
  }[]

const always = [expect.stringContaining('(CRDs) of the Prometheus Operator'), expect.stringContaining('images')]

it('deletes the Service of the kubelet, and the lab’s folders on every node with pods that it removes', async () => {
  cluster({})
  expect(await removeLeftovers(context())).toEqual(always)
  expect(programs.callsOf('kubectl delete service')).toEqual([
    'kubectl delete service kube-prometheus-stack-kubelet --namespace kube-system --ignore-not-found',
  ])
  const folders = '/var/log/tetragon /var/lib/otelcol /var/lib/fluent-bit /run/tetragon /sys/fs/bpf/tetragon'
  expect(created().map(({ spec }) => [spec.nodeName, spec.containers[0].command.join(' ')])).toEqual(
    ['one', 'two'].map(node => [node, `rm -rf ${folders.replace(/(^| )/g, '$1/node')}`]),
  )
  expect(created()[0]!.spec.volumes).toEqual(
    ['/var/log', '/var/lib', '/run', '/sys/fs/bpf'].map((path, index) => ({
      name: `parent-${index}`,
      hostPath: { path },
    })),
  )
  expect(programs.callsOf('kubectl').at(-1)).toMatch(/^kubectl delete pods .*=lab-clean-up --ignore-not-found$/)
})

it('deletes the volumes of its own releases, which Kubernetes keeps', async () => {
  cluster({})
  await removeLeftovers(context())
  const owners = 'loki, opentelemetry-collector-gateway, kube-prometheus-stack-prometheus'
  expect(programs.callsOf('kubectl delete persistentvolumeclaims')).toEqual([
    `kubectl delete persistentvolumeclaims --namespace monitoring --selector=app.kubernetes.io/instance in (${owners})`,
  ])
})

it('keeps what another program uses, and says which', async () => {
  const args = ['--kubelet-service=kube-system/kube-prometheus-stack-kubelet']
  cluster({
    deployments: [named('observability', 'operator', { template: { spec: { containers: [{ args }] } } })],
    daemonsets: [named('kube-system', 'tetragon')],
    pods: [
      named('logs', 'collector', { volumes: [{ hostPath: { path: '/var/lib/otelcol/queue' } }] }),
      named('logs', 'other', { volumes: [{ hostPath: { path: '/var/lib' } }, {}] }),
    ],
  })
  expect(await removeLeftovers(context())).toEqual([
    'the Service kube-system/kube-prometheus-stack-kubelet, which observability/operator uses too',
    '/var/lib/otelcol on the nodes, which logs/collector uses too',
    '/run/tetragon on the nodes, which kube-system/tetragon uses too',
    '/sys/fs/bpf/tetragon on the nodes, which kube-system/tetragon uses too',
    ...always,
  ])
  expect(programs.callsOf('kubectl delete service')).toEqual([])
  expect(created()[0]!.spec.containers[0].command).toEqual([
    ...['rm', '-rf', '/node/var/log/tetragon', '/node/var/lib/fluent-bit'],
  ])
})

it('names the nodes whose folders could not be deleted', async () => {
  cluster({ phase: 'Failed' })
  expect(await removeLeftovers(context())).toEqual([
    expect.stringMatching(/^\/var\/log\/tetragon, .* on one \(its clean-up pod is Failed\)$/),
    expect.stringMatching(/ on two /),
    ...always,
  ])
})

it('names what it could not remove from a cluster that refuses', async () => {
  programs.fail('kubectl', 'Error from server (Forbidden): forbidden')
  expect(await removeLeftovers(context())).toEqual([
    expect.stringMatching(/^the Service kube-system\/kube-prometheus-stack-kubelet \(.*forbidden\)$/),
    expect.stringMatching(/^the volumes in monitoring \(.*forbidden\)$/),
    expect.stringMatching(/^\/var\/log\/tetragon, .* on the nodes \(.*forbidden\)$/),
    ...always,
  ])
})

it('returns the policies that the user has applied, but not those of the lab', async () => {
  const type = 'kubernetes:cilium.io/v1alpha1:TracingPolicy'
  const lab = { urn: 'urn:pulumi:x', type, inputs: { metadata: { name: 'tcp-connect' } } }
  programs.resources([lab], { now: true })
  programs.write(
    'kubectl',
    `#!/bin/sh\necho '${JSON.stringify({ items: [{ metadata: { name: 'tcp-connect' } }, named('shop', 'mine'), named('shop', 'tcp-connect')] })}'\n`,
  )
  expect(await ownPolicies(context())).toEqual([
    { name: 'mine', namespace: 'shop' },
    { name: 'tcp-connect', namespace: 'shop' },
  ])
})

it('says what the user has made for the lab', async () => {
  cluster({})
  const objectStorage = { bucket: 'events', credentialsSecret: 'bucket-key' }
  const production = context(
    { namespaces: 'existing' },
    { guestbook: { enabled: false }, loki: { mode: 'ha', objectStorage } },
  )
  expect(await removeLeftovers(production)).toEqual([
    ...always,
    'the namespaces that you have made, with your Secrets: monitoring',
    'the events in the bucket events',
  ])
})
