import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hidden, type Plan, type PlannedResource, plan, unknown } from '../../scripts/plan/fake-engine.ts'
import { LabError } from '../../shared/lab-error.ts'
import { releases } from '../../shared/names.ts'

// The real program under Pulumi's own runner, with a fake engine at the other end.

const dir = mkdtempSync(join(tmpdir(), 'lab-plan-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const run = (config: Record<string, unknown> = {}) => plan(config, { LAB_DIR: dir, LAB_LOCK: '' })
const byName = ({ resources }: Plan, name: string): PlannedResource => {
  // A component and the release in it may have the same name: the release is meant.
  const found = resources.find(resource => resource.name === name && resource.custom)
  if (!found) throw new Error(`no resource named ${name} among ${resources.map(resource => resource.name).join(', ')}`)
  return found
}
const names = (urns: string[]): string[] => urns.map(urn => urn.split('::').at(-1)!)

describe('the default lab, replayed', () => {
  let lab: Plan
  beforeAll(async () => {
    lab = await run({ tetragon: { source: 'replay' } })
  })

  it('is planned without a complaint', () => {
    expect(lab.errors).toEqual([])
    expect(lab.exitCode).toBe(0)
  })

  it('makes every part', () => {
    const types = lab.resources
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

  it('takes all of it away with the node', () => {
    const node = byName(lab, 'cluster-node')
    const inCluster = lab.resources.filter(
      resource => resource.type.startsWith('kubernetes:') || resource.type === 'pulumi:providers:kubernetes',
    )
    expect(inCluster.length).toBeGreaterThan(25)
    expect(inCluster.filter(resource => resource.deletedWith !== node.urn).map(resource => resource.name)).toEqual([])
  })

  it('puts everything in the cluster through the provider of that cluster', () => {
    const provider = byName(lab, 'cluster-provider')
    const others = lab.resources.filter(
      resource => resource.type.startsWith('kubernetes:') && !resource.provider.startsWith(provider.urn),
    )
    expect(others.map(resource => resource.name)).toEqual([])
  })

  it('waits only for true edges', () => {
    expect(names(byName(lab, 'cluster-provider').dependencies)).toEqual(['cluster-node'])
    // Releases stand up side by side: none depends on another.
    for (const name of [releases.tetragon, releases.prometheus, releases.loki, releases.otel])
      expect(names(byName(lab, name).dependencies), name).toEqual(['monitoring'])
    expect(names(byName(lab, releases.grafana).dependencies)).toEqual(expect.arrayContaining(['grafana-admin']))
    expect(names(byName(lab, 'policies-tcp-connect').dependencies).sort()).toEqual(['application', 'tetragon'])
  })

  it('keeps its secrets', () => {
    const admin = byName(lab, 'grafana-admin')
    expect(admin.inputs.stringData).toBe(hidden)
    // Nothing of the kubeconfig passes through Pulumi: the provider is told to look at `KUBECONFIG`, and the command logs progress alone.
    expect(byName(lab, 'cluster-provider').inputs).toMatchObject({ kubeconfig: '', context: unknown })
    expect(byName(lab, 'cluster-node').inputs).toMatchObject({ logging: 'stderr', addPreviousOutputInEnv: false })
    expect(JSON.stringify(lab.outputs)).not.toMatch(/password/i)
  })

  it('names every release, so that addresses hold', () => {
    const made = lab.resources.filter(resource => resource.type === 'kubernetes:helm.sh/v3:Release')
    expect(made.map(resource => resource.inputs.name).sort()).toEqual(
      [releases.grafana, releases.loki, releases.otel, releases.prometheus, releases.tetragon].sort(),
    )
    for (const { inputs } of made)
      expect(inputs).toMatchObject({ namespace: 'monitoring', timeout: 600, createNamespace: false })
  })

  it('opens ports on loopback only', () => {
    const spec = JSON.parse(byName(lab, 'cluster-node').inputs.stdin as string) as { config: string }
    const listen = [...spec.config.matchAll(/listenAddress: (\S+)/g)].map(match => match[1])
    expect(listen).toEqual(Array(5).fill('127.0.0.1'))
    expect(spec.config).toContain('containerPath: /procHost')
    const types = lab.resources.map(resource => (resource.inputs.spec as { type?: string } | undefined)?.type)
    expect(types).not.toContain('LoadBalancer')
  })

  it('replaces the node in place of itself, never beside itself', () => {
    expect(byName(lab, 'cluster-node').deleteBeforeReplace).toBe(true)
  })

  it('runs no agent, and a replay with its service name', () => {
    const values = byName(lab, releases.tetragon).inputs.values as { tetragon: { enabled: boolean }; crds: unknown }
    expect(values.tetragon.enabled).toBe(false)
    expect(values.crds).toEqual({ installMethod: 'helm' })
    expect(byName(lab, 'tetragon-replay-metrics').inputs).toMatchObject({
      metadata: { name: 'tetragon', namespace: 'monitoring' },
    })
  })

  it('does not load enforcing policies', () => {
    const policies = lab.resources.filter(resource => resource.type.startsWith('kubernetes:cilium.io'))
    expect(policies.length).toBe(4)
    expect(JSON.stringify(policies.map(resource => resource.inputs))).not.toMatch(/Sigkill|Override/)
  })

  it('says where everything is', () => {
    expect(lab.outputs).toMatchObject({
      source: 'replay',
      addresses: { guestbook: 'http://localhost:8080', grafana: 'http://localhost:3000' },
    })
  })
})

describe('other settings', () => {
  it('live: runs the agent with the machine’s /proc', async () => {
    const lab = await run({ tetragon: { source: 'live' } })
    expect(lab.errors).toEqual([])
    const values = byName(lab, releases.tetragon).inputs.values as { tetragon: Record<string, unknown> }
    expect(values.tetragon).toMatchObject({ enabled: true, hostProcPath: '/procHost', prometheus: { port: 2112 } })
    expect(lab.resources.map(resource => resource.type)).not.toContain('lab:monitoring:Replay')
  })

  it('pipeline.shipper: fluent-bit takes the place of the collector', async () => {
    const lab = await run({
      tetragon: { source: 'replay' },
      pipeline: { shipper: 'fluent-bit' },
      traffic: { enabled: false },
    })
    expect(lab.errors).toEqual([])
    const made = lab.resources
      .filter(resource => resource.type === 'kubernetes:helm.sh/v3:Release')
      .map(resource => resource.name)
    expect(made).toContain('fluent-bit')
    expect(made).not.toContain('opentelemetry-collector')
    expect(lab.resources.map(resource => resource.type)).not.toContain('lab:application:Traffic')
  })

  it('cluster.mode: existing makes no node and maps nothing', async () => {
    const lab = await run({ tetragon: { source: 'replay' }, cluster: { mode: 'existing', context: 'school' } })
    expect(lab.errors).toEqual([])
    expect(lab.resources.map(resource => resource.type)).not.toContain('command:local:Command')
    expect(lab.resources.filter(resource => resource.deletedWith !== '')).toEqual([])
    expect(byName(lab, 'cluster-provider').inputs).toMatchObject({ kubeconfig: '', context: 'school' })
  })

  it('a wrong setting ends the program with its three lines and no stack', async () => {
    const { errors, exitCode } = await run({ traffic: { rat: 3 } })
    expect(exitCode).not.toBe(0)
    const error = LabError.parse(errors[0]!)
    expect(error).toMatchObject({
      found: 'unknown setting traffic.rat',
      expected: 'a known setting; the nearest is traffic.rate',
    })
    expect(errors[0]).not.toContain('    at ')
  })
})
