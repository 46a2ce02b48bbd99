import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Recording } from '../../scripts/plan/fake-engine.ts'
import { planLab } from '../../scripts/plan/plan-lab.ts'
import { secretText, unknownText } from '../../scripts/plan/property-values.ts'
import { type PodSpec, violations } from '../../scripts/verify/security/restricted.ts'
import { LabError } from '../../shared/lab-error.ts'
import { releases } from '../../shared/names.ts'
import { projectDir } from '../../shared/paths.ts'
import { namedSecrets } from '../../shared/settings/named-secrets.ts'
import { parseSettings } from '../../shared/settings/parser.ts'
import { readStackConfig } from '../../shared/settings/stack-file.ts'
import { settingsFileName } from '../../shared/stack.ts'
import { newFolder } from '../unit/support/folders.ts'
import { planEach, resourceNamed } from './support/plans.ts'
import { readablePlan } from './support/readable-plan.ts'

// Runs the real program with a fake engine: once under Pulumi's own runner, then for other settings.

const env = { LAB_DIR: newFolder(), LAB_LOCK: '' }
const replay = { tetragon: { source: 'replay' } }
const production = readStackConfig(join(projectDir, settingsFileName('production')))
const [replayed, misspelt, others] = await Promise.all([
  planLab(replay, env),
  planLab({ traffic: { rat: 3 } }, env),
  planEach(
    {
      live: { tetragon: { source: 'live' } },
      'fluent-bit': { ...replay, pipeline: { shipper: 'fluent-bit' }, traffic: { enabled: false } },
      existing: { ...replay, cluster: { mode: 'existing', context: 'school' } },
      production,
    },
    env,
  ),
])

const names = (urns: string[]): string[] => urns.map(urn => urn.split('::').at(-1)!)
const typesOf = ({ resources }: Recording): string[] => resources.map(resource => resource.type)
const releasesOf = ({ resources }: Recording) =>
  resources.filter(resource => resource.type === 'kubernetes:helm.sh/v3:Release')

describe('the default settings with a replay', () => {
  it('plan without an error', () => {
    expect(replayed.errors).toEqual([])
    expect(replayed.exitCode).toBe(0)
  })

  it('create every component', () => {
    const types = replayed.resources
      .filter(resource => !resource.custom && resource.type.startsWith('lab:'))
      .map(resource => resource.type)
    expect(types.sort()).toEqual([
      'lab:application:Guestbook',
      'lab:application:Traffic',
      'lab:application:Visitor',
      'lab:cluster:Cluster',
      'lab:monitoring:Grafana',
      'lab:monitoring:Loki',
      'lab:monitoring:Prometheus',
      'lab:monitoring:Replay',
      'lab:monitoring:Shipper',
      'lab:monitoring:Tetragon',
      'lab:network:NetworkPolicies',
      'lab:policies:Policies',
    ])
  })

  it('delete every resource in the cluster with the node', () => {
    const node = resourceNamed(replayed, 'cluster-node')
    const inCluster = replayed.resources.filter(
      resource => resource.type.startsWith('kubernetes:') || resource.type === 'pulumi:providers:kubernetes',
    )
    expect(inCluster.length).toBeGreaterThan(25)
    expect(inCluster.filter(resource => resource.deletedWith !== node.urn).map(resource => resource.name)).toEqual([])
  })

  it('create everything in the cluster through its provider', () => {
    const provider = resourceNamed(replayed, 'cluster-provider')
    const others = replayed.resources.filter(
      resource => resource.type.startsWith('kubernetes:') && !resource.provider.startsWith(provider.urn),
    )
    expect(others.map(resource => resource.name)).toEqual([])
  })

  it('install releases in parallel', () => {
    expect(names(resourceNamed(replayed, 'cluster-provider').dependencies)).toEqual(['cluster-node'])
    for (const name of [releases.tetragon, releases.loki, releases.otel])
      expect(names(resourceNamed(replayed, name).dependencies), name).toEqual(['monitoring'])
    expect(names(resourceNamed(replayed, releases.prometheus).dependencies)).toEqual(['monitoring', 'prometheus-crds'])
    expect(names(resourceNamed(replayed, releases.grafana).dependencies)).toEqual(
      expect.arrayContaining(['grafana-admin']),
    )
    expect(names(resourceNamed(replayed, 'policies-tcp-connect').dependencies).sort()).toEqual([
      'application',
      'tetragon',
    ])
  })

  it('keep the password and the kubeconfig out of the plan', () => {
    const admin = resourceNamed(replayed, 'grafana-admin')
    expect(admin.inputs.stringData).toBe(secretText)
    // The provider gets a file without keys, and the command logs only its progress.
    expect(resourceNamed(replayed, 'cluster-provider').inputs).toMatchObject({
      kubeconfig: expect.stringMatching(/kubeconfig-without-keys$/),
      context: unknownText,
    })
    expect(resourceNamed(replayed, 'cluster-node').inputs).toMatchObject({
      logging: 'stderr',
      addPreviousOutputInEnv: false,
    })
    expect(replayed.outputs).toMatchObject({ grafanaPassword: secretText })
  })

  it('give every release a fixed name', () => {
    const deployed = releasesOf(replayed)
    expect(deployed.map(resource => resource.inputs.name).sort()).toEqual(
      [releases.grafana, releases.loki, releases.otel, releases.prometheus, releases.tetragon].sort(),
    )
    for (const { inputs } of deployed)
      expect(inputs).toMatchObject({ namespace: 'monitoring', timeout: 600, createNamespace: false })
  })

  it('open ports on loopback only', () => {
    const spec = JSON.parse(resourceNamed(replayed, 'cluster-node').inputs.stdin as string) as { config: string }
    const listen = [...spec.config.matchAll(/listenAddress: (\S+)/g)].map(match => match[1])
    expect(listen).toEqual(Array(5).fill('127.0.0.1'))
    expect(spec.config).toContain('containerPath: /procHost')
    const types = replayed.resources.map(resource => (resource.inputs.spec as { type?: string } | undefined)?.type)
    expect(types).not.toContain('LoadBalancer')
  })

  it('delete the node before they replace it', () => {
    expect(resourceNamed(replayed, 'cluster-node').deleteBeforeReplace).toBe(true)
  })

  it('run a replay under the agent’s service name, and no agent', () => {
    const values = resourceNamed(replayed, releases.tetragon).inputs.values as {
      tetragon: { enabled: boolean }
      crds: unknown
    }
    expect(values.tetragon.enabled).toBe(false)
    expect(values.crds).toEqual({ installMethod: 'helm' })
    expect(resourceNamed(replayed, 'tetragon-replay-metrics').inputs).toMatchObject({
      metadata: { name: 'tetragon', namespace: 'monitoring' },
    })
  })

  it('load no enforcing policy', () => {
    const policies = replayed.resources.filter(resource => resource.type.startsWith('kubernetes:cilium.io'))
    expect(policies.length).toBe(4)
    expect(JSON.stringify(policies.map(resource => resource.inputs))).not.toMatch(/Sigkill|Override/)
  })

  it('output the addresses', () => {
    expect(replayed.outputs).toMatchObject({
      source: 'replay',
      addresses: { guestbook: 'http://localhost:8080', grafana: 'http://localhost:3000' },
    })
  })
})

describe('other settings', () => {
  it('plan without an error', () => {
    for (const [name, { errors }] of Object.entries(others)) expect(errors, name).toEqual([])
  })

  it('tetragon.source: live runs the agent with the host’s /proc', () => {
    const values = resourceNamed(others.live, releases.tetragon).inputs.values as { tetragon: Record<string, unknown> }
    expect(values.tetragon).toMatchObject({ enabled: true, hostProcPath: '/procHost', prometheus: { port: 2112 } })
    expect(typesOf(others.live)).not.toContain('lab:monitoring:Replay')
  })

  it('pipeline.shipper: fluent-bit replaces the collector', () => {
    const deployed = releasesOf(others['fluent-bit']).map(({ name }) => name)
    expect(deployed).toContain('fluent-bit')
    expect(deployed).not.toContain('opentelemetry-collector')
  })

  it('traffic.enabled: false deploys no traffic generator', () => {
    expect(typesOf(others['fluent-bit'])).not.toContain('lab:application:Traffic')
  })

  it('cluster.mode: existing creates no node and maps no port', () => {
    expect(typesOf(others.existing)).not.toContain('command:local:Command')
    expect(others.existing.resources.filter(resource => resource.deletedWith !== '')).toEqual([])
    expect(resourceNamed(others.existing, 'cluster-provider').inputs).toMatchObject({
      kubeconfig: '',
      context: 'school',
    })
  })

  it('a misspelt setting ends the program with its error lines and no stack', () => {
    const { errors, exitCode } = misspelt
    expect(exitCode).not.toBe(0)
    expect(LabError.parse(errors[0]!)).toMatchObject({
      found: 'traffic.rat is not a setting',
      expected: 'traffic.rate (the nearest name)',
    })
    expect(errors[0]).not.toContain('    at ')
  })
})

describe('Pulumi.production.yaml', () => {
  const plan = others.production

  it('plans without a cluster', () => {
    expect(plan.errors).toEqual([])
  })

  it('tries the bucket before it installs Loki', () => {
    expect(names(resourceNamed(plan, releases.loki).dependencies)).toContain('loki-object-storage-check')
  })

  it('runs that check as a restricted pod', () => {
    const { spec } = resourceNamed(plan, 'loki-object-storage-check').inputs as {
      spec: { template: { spec: PodSpec } }
    }
    expect(violations(spec.template.spec)).toEqual([])
    expect(spec.template.spec.automountServiceAccountToken).toBe(false)
  })

  it('refers to the Secrets of the user by their names, and creates none', () => {
    const secrets = namedSecrets(parseSettings(production))
    expect(secrets.map(({ name }) => name)).toEqual([
      'loki-object-storage',
      'remote-write',
      'grafana-admin',
      'grafana-database',
      'grafana-oidc',
    ])
    const text = JSON.stringify(plan.resources)
    for (const { name, keys } of secrets)
      for (const key of keys) expect(text, `${name}/${key}`).toMatch(new RegExp(`"(key|userKey|passwordKey)":"${key}"`))
    expect(typesOf(plan)).not.toContain('kubernetes:core/v1:Secret')
    expect(plan.outputs).toMatchObject({ grafanaPassword: 'in the Secret monitoring/grafana-admin' })
  })

  it('creates no namespace, no application and no port on the nodes', () => {
    expect(typesOf(plan)).not.toContain('kubernetes:core/v1:Namespace')
    expect(typesOf(plan).filter(type => type.startsWith('lab:application'))).toEqual([])
    expect(JSON.stringify(plan.resources)).not.toMatch(/NodePort|"nodePort"|LoadBalancer/)
  })

  it('keeps every component with replicas on several nodes, and all but one of them while a node is drained', () => {
    const replicated = releasesOf(plan).filter(({ inputs }) => /"replica(s|Count)":[2-9]/.test(JSON.stringify(inputs)))
    expect(replicated.map(({ name }) => name).sort()).toEqual(
      [releases.grafana, releases.loki, releases.otelGateway, releases.prometheus].sort(),
    )
    for (const { name, inputs } of replicated) {
      const text = JSON.stringify(inputs)
      expect(text, name).toMatch(/"kubernetes.io\/hostname".*"DoNotSchedule"/)
      expect(text, name).toContain('"podDisruptionBudget"')
    }
  })
})

// An intended change shows in the diff of these files: npx vitest run test/plan/plan.test.ts -u
describe('the plan', () => {
  it('of the laptop is the one in laptop.yaml', async () => {
    await expect(readablePlan(replayed)).toMatchFileSnapshot('stacks/laptop.yaml')
  })

  it('of Pulumi.production.yaml is the one in production.yaml', async () => {
    await expect(readablePlan(others.production)).toMatchFileSnapshot('stacks/production.yaml')
  })
})
