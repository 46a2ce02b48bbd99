import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { own } from './support/checkout.ts'
import { docker, fault, kubectl, lab, losing, node, standing, until, upMends } from './support/world.ts'

// Events are under way while a part of their way is gone: late is allowed, lost and twice are not.

/** How long Loki is away, in seconds: the ten minutes that are promised. `LAB_TEST_AWAY` makes it shorter while one works on the test. */
const away = Number(process.env.LAB_TEST_AWAY || 600)
/** Events a second meanwhile: several times what a Guestbook makes. */
const rate = 40

/** What was written is kept until it is compared: 200 MB of it in ten minutes. */
const loaded = { 'tetragon.replay.eventsPerSecond': rate, 'tetragon.exportFile.maxBackups': 100 }

export function pipelineFaults(): void {
  fault('the shipper is killed, five times', async notes => {
    await standing()
    notes.saw = 'a gap that closes'
    notes.lost = await losing(async () => {
      for (let time = 0; time < 5; time++) {
        await docker('exec', node, 'pkill', '-9', '-f', 'otelcol|fluent-bit')
        await sleep(6000)
      }
    })
    notes.next = await upMends()
  })

  fault('DNS in the cluster is gone for a minute', async notes => {
    await standing()
    notes.saw = 'a gap that closes'
    notes.lost = await losing(async () => {
      await kubectl('-n', 'kube-system', 'scale', 'deployment', 'coredns', '--replicas', '0')
      // Connections that are open need no name: a new pod has none.
      await kubectl('-n', 'monitoring', 'delete', 'pod', '-l', 'app.kubernetes.io/name=opentelemetry-collector')
      await sleep(60_000)
      await kubectl('-n', 'kube-system', 'scale', 'deployment', 'coredns', '--replicas', '2')
      await kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment', 'coredns', '--timeout', '90s')
    }, 240)
    notes.next = await upMends()
  })

  fault(`Loki is away for ${away} s under load`, async notes => {
    for (const [key, value] of Object.entries(loaded))
      expect((await lab('pulumi', 'config', 'set', '--path', `tetragon-lab:${key}`, String(value))).exitCode).toBe(0)
    try {
      await standing()
      notes.saw = `a gap that closes (${rate} events/s)`
      notes.lost = await losing(async () => {
        await sleep(5000)
        await kubectl('-n', 'monitoring', 'scale', 'statefulset', 'loki', '--replicas', '0')
        await sleep(away * 1000)
        await kubectl('-n', 'monitoring', 'scale', 'statefulset', 'loki', '--replicas', '1')
        await until('Loki answers', () =>
          fetch(`http://127.0.0.1:${own.ports.loki}/ready`).then(
            ({ ok }) => ok,
            () => false,
          ),
        )
      }, 600)
    } finally {
      // The faults that follow are not tried under this load.
      for (const key of Object.keys(loaded)) await lab('pulumi', 'config', 'rm', '--path', `tetragon-lab:${key}`)
    }
    notes.next = await upMends()
  })
}
