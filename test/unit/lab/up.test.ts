import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Context } from '../../../scripts/context/context.ts'
import { requireHealthy } from '../../../scripts/doctor/preflight.ts'
import { failWithSubtasks, reportPods, upLab } from '../../../scripts/lab/up.ts'
import { createSteps } from '../../../scripts/lab/up-progress.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { chartFile, chartNames, type Lock, readLock } from '../../../shared/lock.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { labId } from '../../../shared/stack.ts'
import { type FakePrograms, fakePrograms } from '../support/fake-programs.ts'
import { sha256 } from '../support/publisher.ts'
import { captureOutput } from '../support/run-lab.ts'

// The doctor would examine this machine, and the salt is in the settings file of this checkout.
vi.mock('../../../scripts/doctor/preflight.ts', () => ({ requireHealthy: vi.fn(async () => {}) }))
vi.mock('../../../scripts/pulumi/salt.ts', () => ({ removeSalt: vi.fn(), passphraseFits: () => true }))

let programs: FakePrograms
beforeEach(() => {
  programs = fakePrograms()
  programs.write('.lab/passphrase', 'x\n')
  vi.mocked(requireHealthy).mockClear()
})
afterEach(() => programs.restore())

const releaseUrn = (name: string) => `urn:pulumi:dev::tetragon-lab::kubernetes:helm.sh/v3:Release::${name}`
const release = (name: string) => ({ urn: releaseUrn(name), type: 'kubernetes:helm.sh/v3:Release' })
const node = { urn: 'urn:pulumi:dev::tetragon-lab::command:local:Command::cluster-node', type: 'command:local:Command' }

/** The pins of this checkout, with charts that are in `.lab/charts` already. */
function lockWithCharts(): Lock {
  const lock = structuredClone(readLock(''))
  for (const name of chartNames) {
    lock.charts[name].sha256 = sha256(name)
    programs.write(chartFile(lock, name).slice(programs.folder.length), name)
  }
  return lock
}

const replayed = { tetragon: { source: 'replay' } }
const existing = { cluster: { mode: 'existing', context: 'mine' } }

function up(
  settings: object = { ...existing, ...replayed },
  change: (context: Context) => void = () => {},
  { silent = true } = {},
) {
  const context = { settings: parseSettings(settings), lock: lockWithCharts(), env: programs.env }
  change(context)
  return upLab({ silent, load: async () => context })
}

const pulumiCalls = () => programs.calls().filter(call => call.startsWith('pulumi'))

describe('lab up', () => {
  it('probes the kernel, creates the stack, deploys, and waits for the pods and the data, in this order', async () => {
    programs.resources([release('loki'), release('grafana')])
    const { changes, source, why, mended } = await up()
    expect({ changes, source, why, mended }).toEqual({
      changes: { create: 2 },
      source: 'replay',
      why: 'tetragon.source is set to replay',
      mended: [],
    })
    expect(programs.calls()).toEqual([
      'kubectl get nodes',
      'pulumi stack init dev',
      'pulumi up',
      'kubectl get deployments,daemonsets,statefulsets,pods',
      'kubectl get deployments,daemonsets,statefulsets,pods',
      // The signs of data, one page each.
      ...Array.from({ length: 5 }, () => 'kubectl get'),
    ])
  })

  it('deploys nothing when nothing has changed since the last one', async () => {
    programs.resources([release('loki')])
    programs.workloads({ name: 'loki' })
    await up()
    programs.calls()
    const { changes, mended } = await up()
    expect({ changes, mended }).toEqual({ changes: { same: 1 }, mended: [] })
    expect(pulumiCalls()).toEqual([])
  })

  it('deploys without a refresh when a setting has changed', async () => {
    await up()
    programs.calls()
    await up({ ...existing, ...replayed, traffic: { rate: 6 } })
    expect(programs.callsOf('pulumi')[0]).not.toContain('--refresh')
    expect(pulumiCalls()).toEqual(['pulumi up'])
  })

  it('refreshes, and replaces the release of a workload that is missing', async () => {
    programs.resources([release('loki'), release('grafana')])
    programs.workloads({ name: 'loki' }, { name: 'grafana' })
    await up()
    programs.workloads({ name: 'grafana' })
    programs.calls()
    const { mended } = await up()
    expect(mended).toEqual(['reinstalled loki: some of its objects were missing'])
    const [call] = programs.callsOf('pulumi up')
    expect(call).toContain(`--refresh --replace ${releaseUrn('loki')}`)
    expect(call).not.toContain(releaseUrn('grafana'))
  })

  it('applies the CRDs of the Prometheus Operator again when its release is reinstalled', async () => {
    const crds = { ...node, urn: node.urn.replace('cluster-node', 'prometheus-crds') }
    programs.resources([release('kube-prometheus-stack'), crds])
    programs.workloads({ name: 'kube-prometheus-stack' })
    await up()
    programs.workloads()
    programs.calls()
    await up()
    const [call] = programs.callsOf('pulumi up')
    expect(call).toContain(releaseUrn('kube-prometheus-stack'))
    expect(call).toContain(crds.urn)
  })

  it('waits for the policies when an agent runs, after the deployment', async () => {
    await up({ ...existing, tetragon: { source: 'live' } })
    const calls = programs.calls()
    expect(calls.indexOf('kubectl get tracingpolicies.cilium.io,tracingpoliciesnamespaced.cilium.io')).toBeGreaterThan(
      calls.indexOf('pulumi up'),
    )
  })

  it('stops with the LabError of a failed deployment, waits for nothing, and deploys again the next time', async () => {
    const own = new LabError({ found: 'The image loki cannot be pulled', next: './lab doctor' })
    programs.fail('^pulumi up', own.lines().join('\n'))
    await expect(up({ ...existing, tetragon: { source: 'live' } })).rejects.toMatchObject({
      name: 'LabError',
      found: 'The image loki cannot be pulled',
    })
    expect(programs.calls().at(-1)).toBe('pulumi up')
    programs.remove('fail')
    await up({ ...existing, tetragon: { source: 'live' } })
    expect(pulumiCalls()).toEqual(['pulumi up'])
  })

  it('names the pod that Helm waited for, and why it cannot start', async () => {
    const waiting = { reason: 'ErrImagePull', message: 'quay.io/x:1: not found' }
    const pod = {
      kind: 'Pod',
      metadata: { name: 'loki-0', namespace: 'monitoring', ownerReferences: [{ kind: 'StatefulSet', name: 'loki' }] },
      status: { containerStatuses: [{ ready: false, restartCount: 0, state: { waiting } }] },
    }
    programs.workloads({ name: 'loki', ready: 0 })
    const { items } = JSON.parse(programs.read('workloads.json'))
    programs.write('workloads.json', JSON.stringify({ items: [...items, pod] }))
    programs.fail(
      '^pulumi up',
      'error: 1 error occurred:\n* Helm release "monitoring/loki" has a failed status. Reason: context deadline exceeded',
    )
    await expect(up()).rejects.toMatchObject({
      found: 'pulumi up failed: loki is not ready (ErrImagePull: quay.io/x:1: not found)',
      next: expect.stringContaining('./lab kubectl -n monitoring describe pod loki-0'),
    })
  })

  it('keeps the engine’s error when it has not waited for pods', async () => {
    programs.workloads({ name: 'loki', ready: 0 })
    programs.fail('^pulumi up', 'error: the server rejected our request')
    await expect(up()).rejects.toMatchObject({ found: expect.stringContaining('the server rejected our request') })
  })

  it('shows which pods it waits for, once', () => {
    const shown: string[] = []
    const report = reportPods({ onWorkloads: () => {} }, text => shown.push(text))
    const pods = (...ready: number[]) =>
      ready.map((ready, index) => ({
        namespace: 'monitoring',
        name: `pod-${index}`,
        kind: 'DaemonSet',
        ready,
        wanted: 1,
      }))
    for (const ready of [
      [0, 0],
      [0, 0],
      [1, 0],
      [1, 1],
    ])
      report(pods(...ready))
    expect(shown).toEqual(['waiting for the pods of pod-0, pod-1', 'waiting for the pods of pod-1'])
  })

  it('shows a task as failed when one of its subtasks has failed', async () => {
    const failing = async (state: { failure?: unknown }) => {
      state.failure = new Error('no such chart')
      throw state.failure
    }
    const steps = createSteps<{ failure?: unknown }>(
      [
        {
          title: 'parent',
          task: (_, task) =>
            failWithSubtasks(task.newListr([{ title: 'child', task: failing }], { exitOnError: false })),
        },
      ],
      { silent: true },
    )
    await expect(steps.run({})).rejects.toThrow('no such chart')
    expect(steps.tasks.map(task => task.hasFailed())).toEqual([true])
  })

  it('shows no check mark for the lab when Pulumi has failed', async () => {
    programs.fail('^pulumi up', 'error: the server rejected our request')
    const { stdout } = await captureOutput(() => expect(up(undefined, undefined, { silent: false })).rejects.toThrow())
    expect(stdout).toMatch(/^[✔√] Check the machine/m)
    expect(stdout).toContain('Start the lab')
    expect(stdout).not.toMatch(/[✔√] Start the lab/)
  })

  it('starts no Pulumi when a file of a policy is missing', async () => {
    const withMissing = (context: Context) => void context.settings.policies.apply.push('no-such-policy')
    await expect(up(undefined, withMissing)).rejects.toBeInstanceOf(LabError)
    expect(programs.calls()).toEqual([])
  })

  it('names the kernel of a cluster that does not respond, and starts no Pulumi', async () => {
    programs.fail('get nodes', 'error: context "mine" does not exist')
    await expect(up()).rejects.toMatchObject({ found: expect.stringContaining('context "mine" does not exist') })
    expect(pulumiCalls()).toEqual([])
  })

  it('records Pulumi while it runs, interrupts it at Ctrl-C, and releases the lock', async () => {
    programs.write('hang', '')
    const result = up().catch((error: unknown) => error)
    await expect.poll(() => programs.called('pulumi up'), { timeout: 15_000 }).toBe(true)
    expect(JSON.parse(programs.read('.lab/running.json'))).toMatchObject({
      pid: process.pid,
      action: 'up',
      started: { pulumi: expect.any(Number) },
    })
    process.emit('SIGINT')
    expect(await result).toMatchObject({ name: 'LabError', found: '`lab up` was interrupted' })
    expect(programs.exists('.lab/running.json')).toBe(false)
    expect(programs.exists('.lab/stood-up.json')).toBe(false)
  })
})

describe('lab up with a KinD cluster', () => {
  /** A server that answers for every address of the lab. */
  async function withAddresses(): Promise<(context: Context) => void> {
    const server = createServer((_, response) => response.end('{"status":"ok","data":{"result":[1]}}'))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    close = () => server.close()
    return ({ settings }) => {
      settings.ports = { guestbook: port, grafana: port, prometheus: port, loki: port, tetragon: port }
    }
  }
  let close = (): void => {}
  afterEach(() => close())

  const ours = () => {
    programs.write('.lab/cluster.json', JSON.stringify({ name: 'lab' }))
    programs.write('config', `node-labels: ${labId()}`)
  }
  const settings = { ...replayed, cluster: { name: 'lab' } }

  it('checks the machine before it starts a lab, and starts none when a check fails', async () => {
    const unhealthy = new LabError({ found: 'Port 3000 is in use', next: './lab doctor' })
    vi.mocked(requireHealthy).mockRejectedValueOnce(unhealthy)
    await expect(up(settings)).rejects.toBe(unhealthy)
    expect(pulumiCalls()).toEqual([])
  })

  it('does not check the machine while the node runs, and repairs before it deploys', async () => {
    ours()
    programs.write('node', 'running')
    programs.resources([node], { now: true })
    programs.write('.lab/kubeconfig', 'damaged')
    const secret = { name: 'sh.helm.release.v1.loki.v1', labels: { name: 'loki', status: 'pending-install' } }
    programs.write('secrets.json', JSON.stringify({ items: [{ metadata: secret }] }))
    const { mended } = await up(settings, await withAddresses())
    expect(requireHealthy).not.toHaveBeenCalled()
    expect(mended).toEqual([
      'rewrote .lab/kubeconfig, which was missing or damaged',
      'deleted the record of the unfinished release loki',
    ])
    const calls = programs.calls().filter(call => !/ get |^docker/.test(call))
    expect(calls).toEqual(['kind export kubeconfig', 'kubectl delete secret', 'pulumi up'])
  })

  it('clears the state of a cluster that is gone, then creates a new one', async () => {
    programs.resources([node], { now: true })
    const { mended } = await up(settings, await withAddresses())
    expect(mended).toEqual(['cleared the state of a cluster that no longer exists'])
    expect(requireHealthy).toHaveBeenCalledOnce()
    expect(pulumiCalls()).toEqual(['pulumi up'])
  })
})
