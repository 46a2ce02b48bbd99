import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { describeLab, downLab, policiesToLose } from '../../../scripts/lab/down.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { labId } from '../../../shared/stack.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'

// The salt is in the settings file of this checkout.
vi.mock('../../../scripts/pulumi/salt.ts', () => ({ removeSalt: vi.fn(), passphraseFits: () => true }))

let programs: FakePrograms
beforeEach(() => {
  programs = fakePrograms()
})
afterEach(() => programs.restore())

const resource = { urn: 'urn:pulumi:dev::tetragon-lab::kubernetes:core/v1:Namespace::monitoring', type: 'x' }
const stateFiles = ['passphrase', 'grafana-password', 'kubeconfig', 'cluster.json', 'kernel.json', 'stood-up.json']

/** A lab that runs, with everything that it keeps. */
function runningLab({ owner = labId() } = {}): void {
  programs.write('node', 'running')
  programs.write('config', `node-labels: ${owner}`)
  programs.write('network', '0\n')
  programs.resources([resource], { now: true })
  for (const file of stateFiles) programs.write(`.lab/${file}`, '{}')
  if (owner === labId()) programs.write('.lab/cluster.json', JSON.stringify({ name: 'lab' }))
  programs.write('.lab/charts/loki.tgz', 'chart')
}

const context = (cluster: object = { name: 'lab' }) => ({
  settings: parseSettings({ cluster }),
  lock: readLock(''),
  env: programs.env,
})
const settingsOf = (cluster?: object) => context(cluster).settings
const down = (cluster?: object) => downLab({ settings: settingsOf(cluster), load: async () => context(cluster) })
/** Commands that change something. */
const changes = () => programs.calls().filter(call => / (delete|rm|destroy|up)\b/.test(call))

it('deletes the cluster, then the state files, then the network, and keeps the downloads', async () => {
  runningLab()
  expect(await describeLab(settingsOf())).toEqual([
    'the KinD cluster lab with everything in it',
    "Pulumi's state (1 resources)",
  ])
  expect(await down()).toMatchObject({ removed: true, seconds: expect.any(Number) })
  expect(changes()).toEqual(['kind delete cluster', 'docker network rm kind'])
  for (const file of [...stateFiles, 'state', 'running.json']) expect(programs.exists(`.lab/${file}`), file).toBe(false)
  expect(programs.exists('.lab/charts/loki.tgz')).toBe(true)
  expect(await describeLab(settingsOf())).toEqual([])
})

it('does nothing the second time', async () => {
  runningLab()
  await down()
  programs.calls()
  expect(await down()).toMatchObject({ removed: false })
  expect(changes()).toEqual([])
})

it('deletes the state that a cluster has left behind', async () => {
  runningLab()
  programs.remove('node')
  programs.remove('.lab/cluster.json')
  expect(await down()).toMatchObject({ removed: true })
  expect(changes()).toEqual(['docker network rm kind'])
  expect(programs.exists('.lab/state')).toBe(false)
})

it('keeps the network while another cluster uses it', async () => {
  runningLab()
  programs.write('network', '1\n')
  await down()
  expect(changes()).toEqual(['kind delete cluster'])
})

it('keeps the cluster of another checkout', async () => {
  runningLab({ owner: 'another' })
  expect(await describeLab(settingsOf())).toEqual(["Pulumi's state (1 resources)"])
  await down()
  expect(changes()).not.toContain('kind delete cluster')
  expect(programs.exists('node')).toBe(true)
})

it('keeps the state when kind cannot delete the cluster', async () => {
  runningLab()
  programs.fail('^kind delete', 'ERROR: failed to delete nodes')
  await expect(down()).rejects.toBeInstanceOf(LabError)
  expect(programs.exists('.lab/state')).toBe(true)
  expect(programs.exists('.lab/running.json')).toBe(false)
})

it('fails when the cluster still exists after its deletion', async () => {
  runningLab()
  // kind says that it has deleted the node, and the engine still has it.
  programs.write('kind', '#!/bin/sh\n')
  await expect(down()).rejects.toMatchObject({ found: 'The cluster lab still exists' })
  expect(programs.exists('.lab/state')).toBe(true)
})

it('destroys the resources in a cluster of the user’s own, and only once', async () => {
  const existing = { mode: 'existing', context: 'mine' }
  programs.resources([resource], { now: true })
  programs.resources([])
  expect(await down(existing)).toMatchObject({ removed: true })
  expect(changes()).toEqual([
    'pulumi destroy',
    'kubectl delete service kube-prometheus-stack-kubelet',
    'kubectl delete persistentvolumeclaims',
    'kubectl delete pods',
    'kubectl delete pods',
  ])
  expect(await down(existing)).toMatchObject({ removed: false, left: [] })
  expect(changes()).toEqual([])
})

it.each([{ name: 'lab' }, { mode: 'existing', context: 'mine' }])(
  'downloads nothing without a lab (%o)',
  async cluster => {
    const offline = async () => {
      throw new LabError({ found: 'pulumi cannot be downloaded', next: './lab down' })
    }
    expect(await downLab({ settings: settingsOf(cluster), load: offline })).toMatchObject({ removed: false })
    expect(await policiesToLose({ settings: settingsOf(cluster), load: offline })).toEqual([])
  },
)

it('succeeds on a machine without Docker, where there is nothing to remove', async () => {
  process.env.PATH = ''
  expect(await down()).toMatchObject({ removed: false, left: [] })
})

it('downloads only kind to delete the lab’s own cluster', async () => {
  runningLab()
  const load = vi.fn(async () => context())
  await downLab({ settings: settingsOf(), load })
  expect(load.mock.calls).toEqual([[['kind']]])
})

it('continues a removal that has already deleted the definition of TracingPolicies', async () => {
  const existing = { mode: 'existing', context: 'mine' }
  programs.resources([resource], { now: true })
  programs.fail('get tracingpolicies', 'error: the server does not have a resource type "tracingpolicies"')
  expect(await policiesToLose({ settings: settingsOf(existing), load: async () => context(existing) })).toEqual([])
})
