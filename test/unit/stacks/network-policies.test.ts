import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { readStackConfig } from '../../../shared/settings/stack-file.ts'
import { settingsFileName } from '../../../shared/stack.ts'
import { ciliumPolicies, networkPolicies } from '../../../stacks/network-policies.ts'
import { allowed, type End } from '../support/network.ts'

// The laptop's policies are tested with the pods of a plan, in test/plan/security.test.ts.

const given = readStackConfig(join(projectDir, settingsFileName('production')))
const settings = parseSettings(given)

const pod = (name: string, instance: string, ip: string): End => ({
  namespace: 'monitoring',
  labels: { 'app.kubernetes.io/name': name, 'app.kubernetes.io/instance': instance },
  ip,
})

/** Two of each, because the rules between replicas count. */
const ends: Record<string, End> = {
  loki: pod('loki', 'loki', '10.200.0.1'),
  'other-loki': pod('loki', 'loki', '10.200.0.2'),
  shipper: pod('opentelemetry-collector', 'opentelemetry-collector', '10.200.0.3'),
  gateway: pod('opentelemetry-collector', 'opentelemetry-collector-gateway', '10.200.0.4'),
  grafana: pod('grafana', 'grafana', '10.200.0.5'),
  'other-grafana': pod('grafana', 'grafana', '10.200.0.6'),
  prometheus: pod('prometheus', 'kube-prometheus-stack-prometheus', '10.200.0.7'),
  neighbor: pod('grafana', 'grafana-of-another-team', '10.200.0.8'),
  ingress: { namespace: 'ingress-nginx', labels: {}, ip: '10.200.0.9' },
  stranger: { namespace: 'default', labels: {}, ip: '10.200.0.10' },
  node: { ip: '10.0.3.4' },
  internet: { ip: '93.184.216.34' },
}

const isOpen = (line: string): boolean => {
  const [, from, to, port, protocol] = /^(\S+) -> (\S+):(\d+)(?:\/(\w+))?$/.exec(line)!
  return allowed(networkPolicies({ settings }), ends[from!]!, ends[to!]!, Number(port), protocol)
}

describe('the network policies of Pulumi.production.yaml', () => {
  it.each([
    'shipper -> gateway:4318',
    'gateway -> loki:3100',
    'prometheus -> gateway:8888',
    'prometheus -> shipper:8888',
    'other-loki -> loki:7946',
    'other-loki -> loki:9095',
    'other-loki -> loki:11211',
    'other-grafana -> grafana:9094',
    'other-grafana -> grafana:9094/UDP',
    'ingress -> grafana:3000',
    'node -> grafana:3000',
    'node -> loki:3100',
    'node -> prometheus:9090',
  ])('allow %s', line => {
    expect(isOpen(line)).toBe(true)
  })

  it.each([
    'shipper -> loki:3100',
    'grafana -> gateway:4318',
    'stranger -> gateway:4318',
    'stranger -> grafana:3000',
    'stranger -> loki:3100',
    'neighbor -> loki:3100',
    'neighbor -> grafana:9094',
    'ingress -> loki:3100',
    'ingress -> prometheus:9090',
    'internet -> grafana:3000',
    'gateway -> loki:7946',
    'node -> gateway:4318',
  ])('do not allow %s', line => {
    expect(isOpen(line)).toBe(false)
  })

  it('are all in the namespace that the lab has', () => {
    expect(new Set(networkPolicies({ settings }).map(({ namespace }) => namespace))).toEqual(new Set(['monitoring']))
  })
})

describe('the policies for Cilium', () => {
  const policies = (cluster: object) =>
    ciliumPolicies({ settings: parseSettings({ ...given, cluster: { ...(given.cluster as object), ...cluster } }) })

  it('let the nodes and the API server reach what the addresses of the nodes would', () => {
    const all = policies({ cni: 'cilium' })
    expect(all.map(({ name }) => name).sort()).toEqual([
      'grafana-from-nodes',
      'loki-from-nodes',
      'prometheus-from-nodes',
    ])
    for (const { spec } of all)
      expect(spec).toMatchObject({ ingress: [{ fromEntities: ['host', 'remote-node', 'kube-apiserver'] }] })
  })

  it('are absent where anyone can connect, and on another network', () => {
    expect(policies({ cni: 'cilium', clients: {} })).toEqual([])
    expect(policies({ cni: 'standard' })).toEqual([])
  })
})
