import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Recording } from '../../scripts/plan/fake-engine.ts'
import { secretText } from '../../scripts/plan/property-values.ts'
import { type PodSpec, violations } from '../../scripts/verify/security/restricted.ts'
import { exceptionsWith } from '../../shared/pod-security.ts'
import { parseSettings } from '../../shared/settings/parser.ts'
import { type NetworkPolicy, networkPolicies } from '../../stacks/network-policies.ts'
import { readProductionWorkloads, readWorkloads } from '../charts/render.ts'
import { newFolder } from '../unit/support/folders.ts'
import { allowed, type End, selects } from '../unit/support/network.ts'
import { planEach } from './support/plans.ts'

// Checks the resources of the real program against SECURITY.md. test/charts/workloads.yaml has the pods that charts
// create.

const labFolder = newFolder()

interface Pods {
  namespace: string
  name: string
  labels: Record<string, string>
  spec: PodSpec
}

/** Returns the pods that the program creates itself. */
const podsOf = ({ resources }: Recording): Pods[] =>
  resources
    .filter(({ type }) => /^kubernetes:apps\/v1:(Deployment|DaemonSet|StatefulSet)$/.test(type))
    .map(({ inputs }) => {
      const { metadata, spec } = inputs as {
        metadata: { name: string; namespace: string }
        spec: { template: { metadata: { labels: Record<string, string> }; spec: PodSpec } }
      }
      const { template } = spec
      return { ...metadata, labels: template.metadata.labels, spec: template.spec }
    })

const policiesOf = ({ resources }: Recording): NetworkPolicy[] =>
  resources
    .filter(({ type }) => type === 'kubernetes:networking.k8s.io/v1:NetworkPolicy')
    .map(({ inputs }) => {
      const { metadata, spec } = inputs as unknown as { metadata: { name: string; namespace: string } } & NetworkPolicy
      return { ...metadata, spec }
    })

const configs: Record<string, Record<string, unknown>> = {
  'with a replay': { tetragon: { source: 'replay' } },
  'with the original Guestbook': { tetragon: { source: 'replay' }, guestbook: { images: 'upstream' } },
  'with a live agent and fluent-bit in an existing cluster': {
    tetragon: { source: 'live', runtimeHooks: true },
    pipeline: { shipper: 'fluent-bit' },
    cluster: { mode: 'existing', context: 'school' },
  },
}
const [replayed, original, existing] = Object.keys(configs) as [string, string, string]
const plans = await planEach(configs, { LAB_DIR: labFolder, LAB_LOCK: '' })

describe.each(Object.keys(configs))('the lab %s', which => {
  const settings = parseSettings(configs[which])

  it('plans without an error', () => {
    expect(plans[which]!.errors).toEqual([])
  })

  it('runs every pod restricted, except the listed exceptions', () => {
    const pods = podsOf(plans[which]!)
    expect(pods.length).toBeGreaterThan(4)
    for (const { namespace, name, spec } of pods) {
      const exception = exceptionsWith(settings).find(each => each.namespace === namespace && each.workload === name)
      const broken = violations(spec)
      expect(new Set(broken.map(({ control }) => control)), `${name}: ${JSON.stringify(broken)}`).toEqual(
        new Set(exception?.breaks),
      )
    }
  })

  it('mounts root file systems read-only, and a token only in the visitor', () => {
    for (const { name, spec } of podsOf(plans[which]!)) {
      const original = settings.guestbook.images === 'upstream' && /^(frontend|redis-follower)$/.test(name)
      expect(spec.automountServiceAccountToken, name).toBe(name === 'visitor')
      if (name === 'visitor' || original) continue
      for (const { securityContext } of spec.containers)
        expect(securityContext, name).toMatchObject({ readOnlyRootFilesystem: true })
    }
  })

  it('enforces a level in each namespace, and warns about pods that are not restricted', () => {
    const labels = Object.fromEntries(
      plans[which]!.resources.filter(({ type }) => type === 'kubernetes:core/v1:Namespace').map(({ inputs }) => {
        const { metadata } = inputs as { metadata: { name: string; labels: Record<string, string> } }
        return [metadata.name, metadata.labels]
      }),
    )
    expect(labels).toEqual({
      application: {
        'pod-security.kubernetes.io/enforce': 'baseline',
        'pod-security.kubernetes.io/warn': 'restricted',
        'pod-security.kubernetes.io/audit': 'restricted',
      },
      monitoring: {
        'pod-security.kubernetes.io/enforce': 'privileged',
        'pod-security.kubernetes.io/warn': 'restricted',
        'pod-security.kubernetes.io/audit': 'restricted',
      },
    })
  })

  it('hides the Grafana password in resources, outputs and errors', () => {
    const file = join(labFolder, 'grafana-password')
    const password = readFileSync(file, 'utf8').trim()
    expect(password).toMatch(/^[\w-]{24}$/)
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const { resources, outputs, errors } = plans[which]!
    expect(JSON.stringify({ resources, outputs, errors })).not.toContain(password)
    // The one resource that has it marks it as secret.
    const admin = resources.find(({ name, custom }) => custom && name === 'grafana-admin')!
    expect(admin.type).toBe('kubernetes:core/v1:Secret')
    expect(admin.inputs.stringData).toBe(secretText)
  })
})

describe('the charts with Pulumi.production.yaml', () => {
  it.each(readProductionWorkloads().map(({ name, spec }) => [name, spec] as const))(
    'run %s restricted',
    (name, spec) => {
      const exception = exceptionsWith(parseSettings({})).find(({ workload }) => workload === name)
      const controls = violations(spec).map(({ control }) => control)
      expect(new Set(controls)).toEqual(new Set(exception?.breaks))
      expect(spec.automountServiceAccountToken ?? false, 'has no API token').toBe(false)
    },
  )
})

describe('network policies', () => {
  /** Returns every pod of a lab by the name of its workload, and some that are not part of the lab. */
  const ends = (which: string, shipper: string): Record<string, End> => {
    const charts = readWorkloads().filter(({ name }) => !shippers.includes(name) || name === shipper)
    let host = 10
    return Object.fromEntries([
      ...[...podsOf(plans[which]!), ...charts].map(({ name, namespace, labels, spec }) => [
        name,
        // To a policy, a pod on the node's network is not a pod: it has the node's address.
        spec.hostNetwork ? { ip: '172.18.0.2' } : { namespace, labels, ip: `10.244.0.${host++}` },
      ]),
      // Through Docker's network.
      ['browser', { ip: '172.18.0.1' }],
      ['internet', { ip: '93.184.216.34' }],
      ['dns', { namespace: 'kube-system', labels: { 'k8s-app': 'kube-dns' }, ip: '10.244.0.2' }],
      ['stranger', { namespace: 'default', labels: { app: 'stranger' }, ip: '10.244.0.250' }],
      ['toolbox', { namespace: 'application', labels: { run: 'toolbox' }, ip: '10.244.0.251' }],
      ['neighbor', { namespace: 'monitoring', labels: { run: 'neighbor' }, ip: '10.244.0.252' }],
      [
        'policy-check',
        { namespace: 'monitoring', labels: { 'app.kubernetes.io/name': 'check-agents' }, ip: '10.244.0.253' },
      ],
    ]) as Record<string, End>
  }

  /** The connections that the lab needs, as `from -> to:port`. */
  const edges = `
    browser -> frontend:8080
    browser -> grafana:3000
    browser -> prometheus:9090
    browser -> loki:3100
    traffic -> frontend:8080
    visitor -> frontend:8080
    toolbox -> frontend:8080
    frontend -> redis-leader:6379
    frontend -> redis-follower:6379
    redis-follower -> redis-leader:6379
    traffic -> prometheus:9090
    shipper -> loki:3100
    loki -> loki:9095
    grafana -> loki:3100
    grafana -> prometheus:9090
    policy-check -> prometheus:9090
    prometheus -> loki:3100
    prometheus -> shipper:SHIPPER
    prometheus -> frontend:9113
    prometheus -> operator:8080
    prometheus -> state-metrics:8080
    prometheus -> node-exporter:9100
    prometheus -> internet:443
    shipper -> internet:443
    frontend -> dns:53
    frontend -> dns:53/UDP
    visitor -> dns:53/UDP
    traffic -> dns:53/UDP
    redis-follower -> dns:53/UDP
    loki -> dns:53/UDP
  `
  /** Connections that the lab does not need, among them those that an intruder would like to make. */
  const closed = `
    browser -> redis-leader:6379
    browser -> redis-follower:6379
    browser -> frontend:9113
    browser -> visitor:22
    browser -> loki:9095
    browser -> grafana:9094
    browser -> prometheus:8080
    browser -> shipper:SHIPPER
    browser -> operator:8080
    visitor -> redis-leader:6379
    visitor -> redis-follower:6379
    visitor -> frontend:9113
    visitor -> loki:3100
    visitor -> grafana:3000
    visitor -> prometheus:9090
    visitor -> operator:8080
    visitor -> internet:443
    visitor -> internet:53/UDP
    visitor -> stranger:80
    visitor -> dns:9153
    toolbox -> redis-leader:6379
    toolbox -> internet:80
    frontend -> internet:443
    frontend -> loki:3100
    frontend -> prometheus:9090
    traffic -> redis-leader:6379
    traffic -> internet:443
    traffic -> prometheus:8080
    traffic -> loki:3100
    redis-leader -> redis-follower:6379
    redis-leader -> frontend:8080/UDP
    redis-follower -> redis-follower:6379
    stranger -> frontend:8080
    stranger -> redis-leader:6379
    stranger -> loki:3100
    stranger -> grafana:3000
    stranger -> prometheus:9090
    stranger -> shipper:SHIPPER
    neighbor -> loki:3100
    policy-check -> loki:3100
    neighbor -> grafana:3000
    neighbor -> shipper:SHIPPER
    grafana -> redis-leader:6379
    grafana -> frontend:8080
    grafana -> shipper:SHIPPER
    prometheus -> redis-leader:6379
    prometheus -> grafana:3000
    shipper -> prometheus:9090
    shipper -> grafana:3000
    loki -> grafana:3000
    operator -> prometheus:9090
  `
  const shippers = ['opentelemetry-collector-agent', 'fluent-bit']
  const names: Record<string, string> = {
    prometheus: 'prometheus-kube-prometheus-stack-prometheus',
    operator: 'kube-prometheus-stack-operator',
    'state-metrics': 'kube-prometheus-stack-kube-state-metrics',
    'node-exporter': 'kube-prometheus-stack-prometheus-node-exporter',
  }

  /**
   * Returns which of these connections the policies of these settings leave open (or closed) between the pods of a
   * plan.
   */
  function connections(list: string, is: 'open' | 'closed', which = replayed, config = configs[which]!): string[] {
    const settings = parseSettings(config)
    const [shipper, port] = settings.pipeline.shipper === 'otel' ? [shippers[0]!, '8888'] : [shippers[1]!, '2020']
    const all = ends(which, shipper)
    const end = (short: string): End => {
      const found = all[short === 'shipper' ? shipper : (names[short] ?? short)]
      if (!found) throw new Error(`no ${short} among ${Object.keys(all)}`)
      return found
    }
    const policies = networkPolicies({ settings })
    return list
      .trim()
      .split('\n')
      .map(line => line.trim().replace('SHIPPER', port))
      .filter(line => {
        const [, from, to, port, protocol] = /^(\S+) -> (\S+):(\d+)(?:\/(\w+))?$/.exec(line)!
        return allowed(policies, end(from!), end(to!), Number(port), protocol) === (is === 'open')
      })
  }
  const withFluentBit = { ...configs[replayed], pipeline: { shipper: 'fluent-bit' } }

  it('are those that the program creates', () => {
    const sorted = (policies: NetworkPolicy[]) =>
      policies.toSorted((a, b) => `${a.namespace}/${a.name}`.localeCompare(`${b.namespace}/${b.name}`))
    for (const which of Object.keys(configs))
      expect(sorted(policiesOf(plans[which]!))).toEqual(
        sorted(networkPolicies({ settings: parseSettings(configs[which]) })),
      )
  })

  it('allow every connection that the lab needs, with both shippers', () => {
    expect(connections(edges, 'closed')).toEqual([])
    expect(connections(edges, 'closed', replayed, withFluentBit)).toEqual([])
  })

  it('allow no other connection', () => {
    expect(connections(closed, 'open')).toEqual([])
    expect(connections(closed, 'open', replayed, withFluentBit)).toEqual([])
  })

  it('follow the port of the original Guestbook', () => {
    expect(connections('browser -> frontend:80\nfrontend -> redis-follower:6379', 'closed', original)).toEqual([])
    expect(connections('browser -> frontend:8080', 'open', original)).toEqual([])
  })

  it('allow any visitor and any outgoing connection in an existing cluster', () => {
    expect(connections(edges, 'closed', existing)).toEqual([])
    expect(connections('visitor -> internet:443\nstranger -> frontend:8080', 'closed', existing)).toEqual([])
    const still = 'visitor -> redis-leader:6379\nbrowser -> redis-leader:6379\nstranger -> frontend:9113'
    expect(connections(still, 'open', existing)).toEqual([])
  })

  it('do not apply to other pods in the namespaces of an existing cluster', () => {
    expect(connections('stranger -> neighbor:80\nneighbor -> internet:443', 'closed', existing)).toEqual([])
  })

  it('apply to every pod', () => {
    const policies = networkPolicies({ settings: parseSettings({}) })
    for (const [workload, end] of Object.entries(ends(replayed, shippers[0]!)))
      if (end.namespace === 'application' || end.namespace === 'monitoring')
        expect(allowed(policies, { ip: '203.0.113.9' }, end, 1), workload).toBe(false)
  })

  // kindnet would apply such a policy to the node's own address.
  it('select no pod on the network of the node', () => {
    for (const which of Object.keys(configs)) {
      const onNode = [...podsOf(plans[which]!), ...readWorkloads()].filter(({ spec }) => spec.hostNetwork)
      expect(onNode.map(({ name }) => name)).toContain('kube-prometheus-stack-prometheus-node-exporter')
      for (const { namespace, name, spec } of networkPolicies({ settings: parseSettings(configs[which]) }))
        for (const pod of onNode)
          expect(
            namespace === pod.namespace && selects(spec.podSelector as Parameters<typeof selects>[0], pod.labels),
            `${namespace}/${name} selects ${pod.name}`,
          ).toBe(false)
    }
  })

  it('name ports that the pods have', () => {
    const all = new Map(
      [...podsOf(plans[replayed]!), ...readWorkloads()].map(({ name, spec }) => [
        name,
        spec.containers.flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort)),
      ]),
    )
    for (const [to, port] of [
      ['frontend', 8080],
      ['frontend', 9113],
      ['redis-leader', 6379],
      ['redis-follower', 6379],
      ['grafana', 3000],
      ['loki', 3100],
      ['loki', 9095],
      [shippers[0]!, 8888],
      [shippers[1]!, 2020],
      ['kube-prometheus-stack-operator', 8080],
      ['kube-prometheus-stack-kube-state-metrics', 8080],
      ['prometheus-kube-prometheus-stack-prometheus', 9090],
    ] as const)
      expect(all.get(to), to).toContain(port)
  })

  it('can be disabled', () => {
    expect(networkPolicies({ settings: parseSettings({ cluster: { networkPolicies: false } }) })).toEqual([])
  })
})
