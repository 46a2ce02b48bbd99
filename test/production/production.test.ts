import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { exportFile, releases } from '../../shared/names.ts'
import {
  allReady,
  createCluster,
  deleteCluster,
  docker,
  killPod,
  kubectlJson,
  nodes,
  waitFor,
} from './support/cluster.ts'
import { countPage, countTable, noteCount } from './support/count-table.ts'
import { countEvents, countInLoki, metric, withLoki } from './support/events.ts'
import { outcomeOfCheck } from './support/gitops.ts'
import { changesBetween, listObjects } from './support/inventory.ts'
import {
  createCredentials,
  createNamespaceAndSecrets,
  lab,
  labOutput,
  prepareCheckout,
  testSettings,
  withForward,
} from './support/production-lab.ts'
import {
  chosenParts,
  eventsPerNode,
  forgetRun,
  nowInSeconds,
  olderLock,
  outageSeconds,
  type Part,
  requireNote,
  writeNote,
} from './support/run.ts'
import {
  buildS3Image,
  bytesInBucket,
  removeS3Server,
  restartS3Server,
  type S3Credentials,
  startS3Server,
  stopS3Server,
} from './support/s3-server.ts'
import { secretLeaks } from './support/secrets.ts'

// The production stack on three nodes, with a bucket outside the cluster. One thing after the other breaks while events
// are written, and none may be lost. The parts run in order; each keeps its notes for the next, so that a run can go on
// with `LAB_TEST_PRODUCTION_PARTS=kill-node,total` where it stopped.

const chosen = chosenParts()

/** Defines a part, which is skipped unless it is chosen. */
function part(name: Part, claim: string, run: () => Promise<void>): void {
  it.skipIf(!chosen.includes(name))(`${name}: ${claim}`, run)
}

afterAll(() => {
  console.log(countTable())
  if (process.env.LAB_TEST_TABLE) writeFileSync(process.env.LAB_TEST_TABLE, countPage())
})

/** How long late events may take, at most. */
const patienceSeconds = 180

/**
 * Checks that no event is lost while something happens, and adds the counts to the table.
 * @param happen returns what the table says about it
 */
async function losesNothing(what: string, happen: () => Promise<string>): Promise<void> {
  const from = nowInSeconds()
  // Some events before and after, so that both changes are in the span, and an event that is written late too.
  await sleep(10_000)
  const note = await happen()
  await sleep(15_000)
  const to = nowInSeconds() - 5
  const { byNode, ...count } = await countEvents(from, to, patienceSeconds)
  noteCount({ what, ...count, note })
  console.log(countTable())
  expect(count.written).toBeGreaterThan(0.5 * eventsPerNode * nodes.length * 10)
  expect({ lost: count.lost, unknown: count.unknown }).toEqual({ lost: 0, unknown: 0 })
  writeNote('counted', { from: requireNote<{ from: number }>('counted', 'up').from, to })
}

/** Kills a pod and tells how long its successor took. */
const killed = (labels: string) => async (): Promise<string> => {
  const since = Date.now()
  await killPod(labels)
  return `another was ready in its place after ${Math.round((Date.now() - since) / 1000)} s`
}

describe('a production cluster', () => {
  part('cluster', 'three nodes with something in them, and an S3 server outside', async () => {
    prepareCheckout()
    await buildS3Image()
    // An interrupted run may have left these.
    await removeS3Server()
    await deleteCluster()
    await createCluster(testSettings())
    const credentials = await startS3Server()
    await createNamespaceAndSecrets(credentials)
    writeNote('before', await listObjects())
  })

  part('wrong-key', 'lets up fail with the answer of the S3 server', async () => {
    prepareCheckout()
    const { accessKey, secretKey } = requireNote<S3Credentials>('s3', 'cluster')
    await createCredentials({ accessKey, secretKey: 'of another bucket' })
    const { exitCode, stderr } = await lab(['up', '--json']).finally(() => createCredentials({ accessKey, secretKey }))
    console.log(stderr)
    expect(exitCode).toBe(1)
    expect(stderr).toContain('SignatureDoesNotMatch')
    expect(stderr).toContain('loki-object-storage')
  })

  part('up', 'installs everything beside what is there', async () => {
    prepareCheckout()
    await labOutput(['plan'])
    const { seconds } = await lab(['up', '--json']).then(result => {
      expect(result.exitCode, result.stderr).toBe(0)
      return result
    })
    console.log(`lab up: ${Math.round(seconds)} s`)
    await allReady()
    writeNote('counted', { from: nowInSeconds(), to: nowInSeconds() })
  })

  part('verify', 'passes, with every panel filled from three nodes', async () => {
    const { ports } = testSettings()
    await withForward(
      'svc/grafana',
      80,
      async () => {
        let checks: { area: string; result: string }[] = []
        // After an installation, rates need a second scrape.
        for (const deadline = Date.now() + 180_000; Date.now() < deadline; await sleep(5000)) {
          const { stdout } = await lab(['verify', '--json'])
          checks = JSON.parse(stdout || '[]')
          if (checks.length > 0 && !checks.some(({ result }) => result === 'fail')) break
        }
        // Among others what needs a CNI that enforces network policies.
        console.log(checks.filter(({ result }) => result === 'skip'))
        expect(checks.filter(({ result }) => result === 'fail')).toEqual([])
        expect(checks.filter(({ area }) => area === 'panels').length).toBeGreaterThan(20)
      },
      ports.grafana,
    )
    for (const job of ['tetragon', releases.otel, 'node-exporter'])
      expect(await metric(`count(up{job="${job}"} == 1)`), job).toBe(nodes.length)
    expect(await nodesInLoki()).toEqual([...nodes].sort())
  })

  part('up-again', 'changes nothing', async () => {
    const { changes } = JSON.parse(await labOutput(['up', '--json'])) as { changes: Record<string, number> }
    expect(Object.keys(changes)).toEqual(['same'])
    // `up` does not ask Pulumi when nothing has changed.
    await labOutput(['pulumi', 'preview', '--expect-no-changes'])
  })

  part('gitops', 'fails a sync when an agent has not received a policy, and only then', async () => {
    // The agents of the recording have loaded the first, and have never heard of the second.
    expect(await outcomeOfCheck('sensitive-file-access')).toBe('Complete')
    expect(await outcomeOfCheck('deny-wget')).toBe('Failed')
  })

  part('kill-loki', 'loses no event when a Loki replica is killed', () =>
    losesNothing('a Loki replica is killed', killed(`app.kubernetes.io/instance=${releases.loki}`)),
  )

  part('kill-prometheus', 'loses no event and no metric when a Prometheus is killed', async () => {
    const from = nowInSeconds()
    await losesNothing('a Prometheus is killed', killed('app.kubernetes.io/name=prometheus'))
    // Every 15 s, and the first and the last may be just outside.
    expect(await scrapesSince(from)).toBeGreaterThanOrEqual(Math.floor((nowInSeconds() - from) / 15) - 2)
  })

  part('kill-gateway', 'loses no event when a gateway is killed', () =>
    losesNothing('a gateway is killed', killed(`app.kubernetes.io/instance=${releases.otelGateway}`)),
  )

  part('kill-shipper', 'loses no event when the agent of the pipeline on a node is killed', () =>
    losesNothing('the shipper of a node is killed', killed(`app.kubernetes.io/instance=${releases.otel}`)),
  )

  part('kill-node', 'loses no event when a whole node stops and comes back', () =>
    losesNothing('a node is stopped', async () => {
      const since = Date.now()
      const node = nodes[2]
      await docker(['stop', '--time', '1', node])
      await sleep(40_000)
      // The other nodes go on, once Kubernetes and Loki know that this one is gone.
      const recent = () => countInLoki(nowInSeconds() - 15, nowInSeconds() - 5)
      await expect.poll(recent, { timeout: 90_000, interval: 5000 }).toBeGreaterThan(0)
      await docker(['start', node])
      const seconds = Math.round((Date.now() - since) / 1000)
      await allReady(300)
      return `${node} was stopped for ${seconds} s`
    }),
  )

  part('s3-outage', `loses no event when the S3 server is away for ${outageSeconds} s`, () =>
    losesNothing(`the S3 server is away for ${outageSeconds} s`, async () => {
      const before = { bytes: await bytesInBucket(), restarts: await restartsOfLoki() }
      await stopS3Server()
      const from = nowInSeconds()
      // Otherwise Loki would not notice: it stores a chunk every two hours.
      await flushEachLoki()
      await sleep(outageSeconds * 1000)
      expect(await countInLoki(from, nowInSeconds() - 10)).toBeGreaterThan(0)
      await restartS3Server()
      await flushEachLoki()
      await expect.poll(bytesInBucket, { timeout: 120_000, interval: 5000 }).toBeGreaterThan(before.bytes)
      await allReady()
      const stored = (await bytesInBucket()) - before.bytes
      const restarts = (await restartsOfLoki()) - before.restarts
      return `then ${Math.round(stored / 1e6)} MB were stored; Loki restarted ${restarts} times`
    }),
  )

  part('total', 'has as many events as were written, from the first fault to now', async () => {
    const { from, to } = requireNote<{ from: number; to: number }>('counted', 'up')
    const { byNode: _, sentAgain: __, lateSeconds: ___, ...count } = await countEvents(from, to, 0)
    // What a panel shows: unlike a list of events, a count of Loki can include what was sent again.
    const counted = await countInLoki(from, to)
    const requests = await metric('sum(loki_s3_request_duration_seconds_count)')
    const note = `${Math.round((to - from) / 60)} minutes, about ${Math.round(requests)} S3 requests; count_over_time says ${counted.toLocaleString('en')}`
    noteCount({ what: 'all of it', ...count, note })
    const { lost, copies, unknown } = count
    expect({ lost, copies, unknown }).toEqual({ lost: 0, copies: 0, unknown: 0 })
    expect(counted).toBeGreaterThanOrEqual(count.written)
  })

  part('secrets', 'are in no state, log, plan, event or object', async () => {
    expect(await secretLeaks()).toEqual([])
  })

  part('down', 'removes what it added, and nothing else', async () => {
    const before = requireNote<string[]>('before', 'cluster')
    console.log(await labOutput(['down', '--yes']))
    // A volume is deleted a moment after its claim.
    await waitFor(
      'the objects of the lab to go',
      async () => {
        const { gone, added } = changesBetween(before, await listObjects())
        const unexpected = [...gone.map(object => `gone: ${object}`), ...added.filter(object => !stays.test(object))]
        return unexpected.length > 0 ? unexpected.join('; ') : undefined
      },
      300,
    )
    for (const node of nodes)
      expect((await docker(['exec', node, 'ls', exportFile.directory], { reject: false })).exitCode, node).not.toBe(0)
    expect(await bytesInBucket()).toBeGreaterThan(0)
  })

  it.skipIf(!chosen.includes('upgrade') || !olderLock)(
    'upgrade: from charts one version older loses no event and no metric (needs LAB_TEST_PRODUCTION_OLDER_LOCK)',
    async () => {
      await labOutput(['up', '--json'], { LAB_LOCK: olderLock })
      await allReady()
      writeNote('counted', { from: nowInSeconds(), to: nowInSeconds() })
      const metricsFrom = nowInSeconds()
      await losesNothing('charts are upgraded by one version', async () => {
        const { changes, seconds } = JSON.parse(await labOutput(['up', '--json'])) as {
          changes: Record<string, number>
          seconds: number
        }
        await allReady()
        return `${changes.update ?? 0} updates in ${Math.round(seconds)} s`
      })
      expect(await scrapesSince(metricsFrom)).toBeGreaterThanOrEqual(
        Math.floor((nowInSeconds() - metricsFrom) / 15) - 2,
      )
      await labOutput(['down', '--yes'])
    },
  )

  part('clean', 'removes the cluster and the S3 server of this test', async () => {
    await removeS3Server()
    await deleteCluster()
    forgetRun()
  })
})

/** What `down` leaves in the cluster, as docs/production.md says, with what Kubernetes derives from it. */
const stays = /^(customresourcedefinitions|apiservices)\.\S+ \S+\.monitoring\.coreos\.com /

/** Returns how often containers of Loki have restarted. */
async function restartsOfLoki(): Promise<number> {
  type Pods = { items: { status: { containerStatuses?: { name: string; restartCount: number }[] } }[] }
  const { items } = await kubectlJson<Pods>(['-n', 'monitoring', 'get', 'pods'])
  const containers = items.flatMap(({ status }) => status.containerStatuses ?? [])
  return containers.filter(({ name }) => name === 'loki').reduce((sum, { restartCount }) => sum + restartCount, 0)
}

/** Returns how often the better of the two Prometheus servers has scraped an agent since a time. */
async function scrapesSince(from: number): Promise<number> {
  const query = `max(count_over_time(up{job="tetragon"}[${nowInSeconds() - from}s]))`
  const counts: number[] = []
  for (const index of [0, 1])
    counts.push(await metric(query, `pod/prometheus-${releases.prometheus}-prometheus-${index}`))
  return Math.max(...counts)
}

/** Tells each Loki to store its chunks now. */
async function flushEachLoki(): Promise<void> {
  for (const index of [0, 1, 2])
    await withForward(`pod/${releases.loki}-${index}`, 3100, loki => fetch(`${loki}/flush`, { method: 'POST' }))
}

/** Returns the nodes that events of the last minute name. */
const nodesInLoki = (): Promise<string[]> =>
  withLoki(async loki => {
    const start = `${nowInSeconds() - 60}000000000`
    const query = new URLSearchParams({ query: '{service_name="tetragon"}', start, limit: '3000' })
    const response = await fetch(`${loki}/loki/api/v1/query_range?${query}`)
    const { data } = (await response.json()) as { data: { result: { values: [string, string][] }[] } }
    const lines = data.result.flatMap(({ values }) => values.map(([, line]) => line))
    return [...new Set(lines.map(line => (JSON.parse(line) as { node_name: string }).node_name))].sort()
  })
