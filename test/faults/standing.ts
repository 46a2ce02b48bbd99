import { existsSync, globSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { expect } from 'vitest'
import { own } from './support/checkout.ts'
import {
  checkout,
  docker,
  downMends,
  fault,
  kubectl,
  lab,
  losing,
  node,
  program,
  refusal,
  standing,
  status,
  until,
  upMends,
  withoutHead,
} from './support/world.ts'

// A lab that stands, and something under it goes: the node, the engine, the state, a part.

const stateFile = (): string => checkout().path('.lab', 'state', '.pulumi', 'stacks', 'tetragon-lab', 'dev.json')

export function standingFaults(): void {
  fault('the node is killed', async notes => {
    await standing()
    await docker('kill', node)
    notes.saw = await status()
    notes.next = await upMends()
  })

  fault('the node is paused, as by a laptop that sleeps', async notes => {
    await standing()
    notes.lost = await losing(async () => {
      await docker('pause', node)
      await sleep(45_000)
      notes.saw = await status()
      notes.next = await upMends()
    })
  })

  fault('the node is restarted', async notes => {
    await standing()
    notes.lost = await losing(async () => {
      await docker('restart', node)
      notes.saw = await status()
      notes.next = await upMends()
    })
  })

  fault('a port is taken while the node is stopped', async notes => {
    await standing()
    await docker('stop', node)
    const server = createServer().listen(own.ports.grafana, '127.0.0.1')
    notes.saw = refusal(await lab('up', '--json'))
    expect(notes.saw).toMatch(/13000/)
    server.close()
    notes.next = await upMends()
  })

  fault('the cluster is deleted behind the state', async notes => {
    await standing()
    await program('kind', ['delete', 'cluster', '--name', own.cluster])
    notes.saw = await status()
    notes.next = await upMends()
  })

  fault('.lab is deleted under a lab that stands: up', async notes => {
    await standing()
    for (const part of globSync(checkout().path('.lab', '*')))
      if (!/tools|charts$/.test(part)) rmSync(part, { recursive: true })
    notes.saw = await status()
    notes.next = await upMends()
  })

  fault('.lab is deleted under a lab that stands: down', async notes => {
    await standing()
    for (const part of globSync(checkout().path('.lab', '*')))
      if (!/tools|charts$/.test(part)) rmSync(part, { recursive: true })
    notes.saw = await status()
    notes.next = await downMends()
  })

  fault('the state file is cut off', async notes => {
    await standing()
    truncateSync(stateFile(), 5000)
    notes.saw = await status()
    notes.next = await upMends()
  })

  fault('the state file is something else', async notes => {
    await standing()
    writeFileSync(stateFile(), '<html>Please sign in to the network</html>')
    notes.saw = await status()
    notes.next = await downMends()
  })

  fault('a release is left pending-install', async notes => {
    await standing()
    const secret = await kubectl('-n', 'monitoring', 'get', 'secrets', '-l', 'owner=helm,name=loki', '-o', 'name')
    await kubectl('-n', 'monitoring', 'label', '--overwrite', secret, 'status=pending-install')
    await kubectl('-n', 'monitoring', 'delete', 'statefulset', 'loki')
    notes.saw = await status()
    notes.next = await upMends()
  })

  fault('parts are deleted from the cluster', async notes => {
    await standing()
    await kubectl('-n', 'monitoring', 'delete', 'statefulset', 'loki')
    await kubectl('-n', 'application', 'delete', 'deployment', 'visitor')
    notes.saw = await status()
    notes.next = await upMends()
  })

  fault('a policy that would kill everything in application', async notes => {
    await standing()
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
    notes.saw = withoutHead((applied.stderr || applied.stdout).trim().split('\n')[0]!.replace(checkout().folder, '.'))
    // By the back door, and out again. That it really kills takes a kernel that can trace.
    await kubectl('apply', '-f', file)
    expect((await lab('policy', 'list')).stdout).toContain('kill-all')
    expect((await lab('policy', 'remove', 'kill-all')).exitCode).toBe(0)
    rmSync(file)
    notes.next = `lab policy remove; ${await upMends()}`
  })

  fault('Prometheus is killed, as when memory runs out', async notes => {
    await standing()
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
    await until('Prometheus is started anew', async () => Number(await of('restartCount')) > before)
    notes.saw = `exit code ${await of('lastState.terminated.exitCode')} in lab kubectl describe; its panels have a gap`
    notes.next = `Kubernetes starts it again; ${await upMends()}`
  })

  fault('Prometheus runs out of memory', async notes => {
    await standing()
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
    await until('the kernel has killed it twice', async () => Number(await restarts()) >= 2, 180)
    notes.saw =
      (await lab('status')).stdout
        .split('\n')
        .find(line => line.includes('OOMKilled'))
        ?.trim() ?? ''
    expect(notes.saw).toMatch(/prometheus.*0\/1.*OOMKilled, \d+ restarts/)
    notes.next = await upMends()
    expect(notes.next).toContain('it ran out of memory again and again')
  })

  fault('the clock of the node jumps', async notes => {
    await standing()
    // The clock is the machine's: where it may not be set, nothing is shown.
    const { failed } = await execa('date', ['--set', '+0 sec'], { reject: false })
    if (failed) {
      notes.saw = 'not tried: the clock of this machine may not be set'
      return
    }
    notes.lost = await losing(async () => {
      await execa('date', ['--set', '+300 sec'])
      await sleep(20_000)
      await execa('date', ['--set', '-300 sec'])
      notes.saw = 'a gap of five minutes in the panels'
      await sleep(10_000)
    })
    notes.next = await upMends()
  })

  fault('a lab that went through all of this is taken down', async notes => {
    notes.saw = await status()
    notes.next = await downMends()
    expect(existsSync(checkout().path('.lab', 'kubeconfig'))).toBe(false)
    expect(readFileSync(checkout().path('Pulumi.dev.yaml'), 'utf8')).not.toContain('encryptionsalt')
  })
}
