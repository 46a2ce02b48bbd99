import { existsSync, globSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { expect } from 'vitest'
import { testLab } from './support/checkout.ts'
import {
  checkout,
  countLosses,
  docker,
  downRemovesAll,
  errorOf,
  faultTest,
  kubectl,
  lab,
  node,
  recoverySeconds,
  runProgram,
  startLab,
  statusLine,
  upRepairs,
  waitFor,
  withoutLabel,
} from './support/test-lab.ts'

// Something that a running lab needs disappears: the node, the state, an object in the cluster.

const stateFile = (): string => checkout().path('.lab', 'state', '.pulumi', 'stacks', 'tetragon-lab', 'dev.json')

export function runningLabFaults(): void {
  faultTest('the node is killed', async notes => {
    await startLab()
    await docker('kill', node)
    notes.message = await statusLine()
    notes.recovery = await upRepairs()
  })

  faultTest('the node is paused, as on a laptop that sleeps', async notes => {
    await startLab()
    notes.lost = await countLosses(async () => {
      await docker('pause', node)
      await sleep(45_000)
      notes.message = await statusLine()
      notes.recovery = await upRepairs()
    })
  })

  faultTest('the node is restarted', async notes => {
    await startLab()
    notes.lost = await countLosses(async () => {
      await docker('restart', node)
      notes.message = await statusLine()
      notes.recovery = await upRepairs()
    })
  })

  faultTest('another program takes a port while the node is stopped', async notes => {
    await startLab()
    await docker('stop', node)
    const server = createServer().listen(testLab.ports.grafana, '127.0.0.1')
    notes.message = errorOf(await lab('up', '--json'))
    expect(notes.message).toMatch(/13000/)
    server.close()
    notes.recovery = await upRepairs()
  })

  faultTest('the user moves Grafana to another port', async notes => {
    await startLab()
    const movePort = (port: number) =>
      lab('pulumi', 'config', 'set', '--path', 'tetragon-lab:ports.grafana', String(port))
    await movePort(testLab.ports.grafana + 5)
    try {
      notes.message = await statusLine()
      notes.recovery = await upRepairs()
    } finally {
      await movePort(testLab.ports.grafana)
    }
  })

  faultTest('the cluster is deleted but Pulumi still has its state', async notes => {
    await startLab()
    await runProgram('kind', ['delete', 'cluster', '--name', testLab.cluster])
    notes.message = await statusLine()
    notes.recovery = await upRepairs()
  })

  faultTest('.lab is deleted: up', async notes => {
    await startLab()
    for (const part of globSync(checkout().path('.lab', '*')))
      if (!/tools|charts$/.test(part)) rmSync(part, { recursive: true })
    notes.message = await statusLine()
    notes.recovery = await upRepairs()
  })

  faultTest('.lab is deleted: down', async notes => {
    await startLab()
    for (const part of globSync(checkout().path('.lab', '*')))
      if (!/tools|charts$/.test(part)) rmSync(part, { recursive: true })
    notes.message = await statusLine()
    notes.recovery = await downRemovesAll()
  })

  faultTest('the state file is truncated', async notes => {
    await startLab()
    truncateSync(stateFile(), 5000)
    notes.message = await statusLine()
    notes.recovery = await upRepairs()
  })

  faultTest('the state file contains something else', async notes => {
    await startLab()
    writeFileSync(stateFile(), '<html>Please sign in to the network</html>')
    notes.message = await statusLine()
    notes.recovery = await downRemovesAll()
  })

  faultTest('a release is stuck in pending-install', async notes => {
    await startLab()
    const secret = await kubectl('-n', 'monitoring', 'get', 'secrets', '-l', 'owner=helm,name=loki', '-o', 'name')
    await kubectl('-n', 'monitoring', 'label', '--overwrite', secret, 'status=pending-install')
    await kubectl('-n', 'monitoring', 'delete', 'statefulset', 'loki')
    notes.message = await statusLine()
    notes.recovery = await upRepairs()
  })

  faultTest('workloads are deleted from the cluster', async notes => {
    await startLab()
    await kubectl('-n', 'monitoring', 'delete', 'statefulset', 'loki')
    await kubectl('-n', 'application', 'delete', 'deployment', 'visitor')
    notes.message = await statusLine()
    notes.recovery = await upRepairs()
  })

  faultTest('a policy would kill everything in application', async notes => {
    await startLab()
    const file = checkout().path('kill-all.yaml')
    const policy = {
      apiVersion: 'cilium.io/v1alpha1',
      kind: 'TracingPolicyNamespaced',
      metadata: { name: 'kill-all', namespace: 'application' },
      spec: {
        kprobes: [{ call: 'sys_openat', syscall: true, selectors: [{ matchActions: [{ action: 'Sigkill' }] }] }],
      },
    }
    writeFileSync(file, JSON.stringify(policy))
    const applied = await lab('policy', 'apply', file)
    expect(applied.exitCode).not.toBe(0)
    notes.message = withoutLabel(
      (applied.stderr || applied.stdout).trim().split('\n')[0]!.replace(checkout().folder, '.'),
    )
    // kubectl applies it all the same. Whether it kills depends on the kernel.
    await kubectl('apply', '-f', file)
    expect((await lab('policy', 'list')).stdout).toContain('kill-all')
    expect((await lab('policy', 'remove', 'kill-all')).exitCode).toBe(0)
    rmSync(file)
    notes.recovery = `lab policy remove; ${await upRepairs()}`
  })

  faultTest('Prometheus is killed once', async notes => {
    await startLab()
    const pod = 'prometheus-kube-prometheus-stack-prometheus-0'
    const of = (path: string) =>
      kubectl(
        '-n',
        'monitoring',
        'get',
        'pod',
        pod,
        '-o',
        `jsonpath={.status.containerStatuses[?(@.name=="prometheus")].${path}}`,
      )
    const before = Number(await of('restartCount'))
    await docker('exec', node, 'pkill', '-9', '-x', 'prometheus')
    await waitFor('Prometheus restarts', async () => Number(await of('restartCount')) > before)
    const exitCode = await of('lastState.terminated.exitCode')
    notes.message = `exit code ${exitCode} in lab kubectl describe; its panels have a gap`
    notes.recovery = `Kubernetes starts it again; ${await upRepairs()}`
  })

  faultTest('Prometheus keeps running out of memory', async notes => {
    await startLab()
    const little = { memory: '40Mi' }
    const restarts = () =>
      kubectl(
        ...['-n', 'monitoring', 'get', 'pods', '-l', 'app.kubernetes.io/name=prometheus', '-o'],
        'jsonpath={.items[*].status.containerStatuses[?(@.name=="prometheus")].restartCount}',
      )
    await kubectl(
      ...['-n', 'monitoring', 'patch', 'prometheus', 'kube-prometheus-stack-prometheus', '--type', 'merge'],
      ...['--patch', JSON.stringify({ spec: { resources: { requests: little, limits: little } } })],
    )
    await waitFor('the kernel kills Prometheus twice', async () => Number(await restarts()) >= 2, 180)
    notes.message =
      (await lab('status')).stdout
        .split('\n')
        .find(line => line.includes('OOMKilled'))
        ?.trim() ?? ''
    expect(notes.message).toMatch(/prometheus.*0\/1.*OOMKilled, \d+ restarts/)
    notes.recovery = await upRepairs()
    expect(notes.recovery).toContain('it kept running out of memory')
  })

  faultTest('the clock of the node jumps', async notes => {
    const jumpSeconds = 300
    await startLab()
    // A container cannot always set the clock of its machine.
    const { failed } = await execa('date', ['--set', '+0 sec'], { reject: false })
    if (failed) {
      notes.message = 'not tested: the clock of this machine cannot be set'
      return
    }
    notes.lost = await countLosses(async () => {
      await execa('date', ['--set', `+${jumpSeconds} sec`])
      await sleep(20_000)
      await execa('date', ['--set', `-${jumpSeconds} sec`])
      notes.message = 'a gap of five minutes in the panels'
      await sleep(10_000)
    })
    // Until the clock is where it had jumped to, Prometheus rejects samples: they are older than its last ones.
    notes.recovery = await upRepairs(recoverySeconds + jumpSeconds)
  })

  faultTest('all of this is followed by down', async notes => {
    notes.message = await statusLine()
    notes.recovery = await downRemovesAll()
    expect(existsSync(checkout().path('.lab', 'kubeconfig'))).toBe(false)
    expect(readFileSync(checkout().path('Pulumi.dev.yaml'), 'utf8')).not.toContain('encryptionsalt')
  })
}
