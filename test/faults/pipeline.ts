import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { testLab } from './support/checkout.ts'
import { countLosses, docker, faultTest, kubectl, lab, node, startLab, upRepairs, waitFor } from './support/test-lab.ts'

// A part of the pipeline is unavailable while events are written. Events may arrive late, but not be lost or
// duplicated.

/**
 * How long Loki is unavailable: the 10 minutes that the lab promises to survive. `LAB_TEST_AWAY` shortens it during
 * development.
 */
const outageSeconds = Number(process.env.LAB_TEST_AWAY || 600)
/** Several times the rate of the Guestbook. */
const eventsPerSecond = 40

/** Keeps all export files until they are compared: 200 MB in 10 minutes. */
const loadSettings = { 'tetragon.replay.eventsPerSecond': eventsPerSecond, 'tetragon.exportFile.maxBackups': 100 }

export function pipelineFaults(): void {
  faultTest('the shipper is killed 5 times', async notes => {
    await startLab()
    notes.message = 'a gap that closes'
    notes.lost = await countLosses(async () => {
      for (let time = 0; time < 5; time++) {
        await docker('exec', node, 'pkill', '-9', '-f', 'otelcol|fluent-bit')
        await sleep(6000)
      }
    })
    notes.recovery = await upRepairs()
  })

  faultTest('cluster DNS is unavailable for 1 minute', async notes => {
    await startLab()
    notes.message = 'a gap that closes'
    notes.lost = await countLosses(async () => {
      await kubectl('-n', 'kube-system', 'scale', 'deployment', 'coredns', '--replicas', '0')
      // Only a new pod needs DNS: the old one has open connections.
      await kubectl('-n', 'monitoring', 'delete', 'pod', '-l', 'app.kubernetes.io/name=opentelemetry-collector')
      await sleep(60_000)
      await kubectl('-n', 'kube-system', 'scale', 'deployment', 'coredns', '--replicas', '2')
      await kubectl('-n', 'kube-system', 'rollout', 'status', 'deployment', 'coredns', '--timeout', '90s')
    }, 240)
    notes.recovery = await upRepairs()
  })

  faultTest(`Loki is unavailable for ${outageSeconds} s under load`, async notes => {
    for (const [key, value] of Object.entries(loadSettings))
      expect((await lab('pulumi', 'config', 'set', '--path', `tetragon-lab:${key}`, String(value))).exitCode).toBe(0)
    try {
      await startLab()
      notes.message = `a gap that closes (${eventsPerSecond} events/s)`
      notes.lost = await countLosses(async () => {
        await sleep(5000)
        await kubectl('-n', 'monitoring', 'scale', 'statefulset', 'loki', '--replicas', '0')
        await sleep(outageSeconds * 1000)
        await kubectl('-n', 'monitoring', 'scale', 'statefulset', 'loki', '--replicas', '1')
        await waitFor('Loki is ready', () =>
          fetch(`http://127.0.0.1:${testLab.ports.loki}/ready`).then(
            ({ ok }) => ok,
            () => false,
          ),
        )
      }, 600)
    } finally {
      // The other faults run without this load.
      for (const key of Object.keys(loadSettings)) await lab('pulumi', 'config', 'rm', '--path', `tetragon-lab:${key}`)
    }
    notes.recovery = await upRepairs()
  })
}
