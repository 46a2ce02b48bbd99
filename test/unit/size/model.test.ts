import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readFigures } from '../../../scripts/size/figures.ts'
import {
  blockBytes,
  type Cluster,
  chunkBytes,
  queueShare,
  type Size,
  sizeCluster,
} from '../../../scripts/size/model.ts'
import { readProductionSettings } from '../../../scripts/size/production-settings.ts'
import { readLock } from '../../../shared/lock.ts'
import { projectDir } from '../../../shared/paths.ts'
import { gatewayConfig } from '../../../stacks/monitoring/gateway.ts'
import { lokiValues } from '../../../stacks/monitoring/loki/loki.ts'

const figures = readFigures()
const settings = readProductionSettings()
const small: Cluster = {
  nodes: 10,
  eventsPerNode: 20,
  podsPerNode: 30,
  namespaces: 20,
  retentionDays: 30,
  outageMinutes: 60,
}
const size = (change: Partial<Cluster> = {}, figured = figures): Size[] =>
  sizeCluster({ ...small, ...change }, figured, settings)
const find = (sizes: Size[], part: string, what: string): Size =>
  sizes.find(row => row.part === part && row.what.startsWith(what))!
const value = (sizes: Size[], part: string, what: string): number => find(sizes, part, what).value as number

describe('the sizes of a cluster', () => {
  test('come from the load test in bench/', () => {
    const { load } = JSON.parse(readFileSync(join(projectDir, 'bench', 'load.json'), 'utf8')) as {
      load: { result: { rate: number; arriving: number; cost: Record<string, { cpu: number; memory: number }> } }
    }
    const { rate, arriving, cost } = load.result
    expect(figures.rate).toBe(rate)
    expect(value(size({ eventsPerNode: rate }), 'each node', 'shipper, processor')).toBeCloseTo(
      (cost.shipper!.cpu * rate) / arriving,
    )
    const twice = { ...figures, shipper: { ...figures.shipper, coresPerEvent: 2 * figures.shipper.coresPerEvent } }
    expect(value(size({}, twice), 'each node', 'shipper, processor')).toBeCloseTo(
      2 * value(size(), 'each node', 'shipper, processor'),
    )
  })

  test('are marked as measured only up to the rate of the load test', () => {
    const basis = (eventsPerNode: number) => find(size({ eventsPerNode }), 'each node', 'shipper, processor').basis
    expect([basis(figures.rate), basis(figures.rate + 1)]).toEqual(['measured', 'extrapolated'])
    // Nothing was measured with several Loki replicas, gateways or a bucket.
    const measured = size().filter(row => row.basis === 'measured')
    expect(new Set(measured.map(({ part }) => part))).toEqual(new Set(['events', 'each node']))
    for (const row of size()) expect(row.from, row.what).not.toBe('')
  })

  test('grow with the cluster', () => {
    const [one, ten] = [size(), size({ nodes: 100 })]
    expect(value(ten, 'events', 'written')).toBeCloseTo(10 * value(one, 'events', 'written'))
    expect(value(ten, 'bucket', 'objects')).toBeCloseTo(10 * value(one, 'bucket', 'objects'))
    expect(value(ten, 'Prometheus', 'series of Tetragon')).toBe(10 * value(one, 'Prometheus', 'series of Tetragon'))
    expect(value(size({ retentionDays: 60 }), 'bucket', 'objects')).toBeCloseTo(2 * value(one, 'bucket', 'objects'))
  })

  test('never give a Loki or a gateway more events than the load test had', () => {
    for (const nodes of [1, 10, 100, 101, 500, 2000]) {
      const sizes = size({ nodes })
      const rate = value(sizes, 'events', 'rate')
      const replicas = value(sizes, 'Loki', 'replicas')
      const gateways = value(sizes, 'gateway', 'replicas')
      expect((3 * rate) / replicas).toBeLessThanOrEqual(figures.rate)
      // One gateway may be down.
      expect(rate / (gateways - 1)).toBeLessThanOrEqual(figures.rate)
      expect([replicas >= 3, gateways >= 2]).toEqual([true, true])
    }
  })

  test('name microservices mode above 1 TB a day', () => {
    const mode = (eventBytes: number) => find(size({ eventBytes }), 'Loki', 'mode').value
    const limit = 1e12 / 86_400 / 200
    expect(mode(Math.floor(limit))).toBe('ha')
    expect(mode(Math.ceil(limit))).toMatch(/^microservices/)
  })

  test('take the size of events and their compression from the user', () => {
    const [own, other] = [size({ eventBytes: 1000, compression: 5 }), size({ eventBytes: 1000, compression: 10 })]
    expect(value(own, 'events', 'written')).toBe(200 * 1000 * 86_400)
    expect(value(own, 'bucket', 'new objects')).toBeCloseTo(2 * value(other, 'bucket', 'new objects'))
    expect(find(own, 'events', 'written').basis).toBe('input')
  })

  test('count the series of Kubernetes once they are measured', () => {
    const cluster = {
      seriesPerNode: 1000,
      seriesPerPod: 50,
      seriesOfTheRest: 5000,
      prometheus: { series: 10_000, memoryMiB: 250 },
    }
    const sizes = size({}, { ...figures, cluster })
    const tetragon = value(sizes, 'Prometheus', 'series of Tetragon')
    expect(value(sizes, 'Prometheus', 'series in all')).toBe(tetragon + 10 * (1000 + 30 * 50) + 5000)
    const samples = (tetragon + 10 * 2500 + 5000) / 30
    expect(value(sizes, 'Prometheus', 'volume')).toBeCloseTo(samples * 2 * 15 * 86_400)
  })

  test('use the queue that the production stack sets', () => {
    const { sending_queue: queue } = gatewayConfig(settings).exporters['otlp_http/loki']
    const volumeBytes = Number.parseInt(settings.pipeline.gateway.storage, 10) * 1024 ** 3
    expect(queue.queue_size / volumeBytes).toBeCloseTo(queueShare)
  })

  test('use the chunks that the production stack sets', () => {
    const { loki } = lokiValues({ settings, lock: readLock(''), source: 'live' }) as {
      loki: { ingester: { chunk_block_size: number; chunk_target_size: number } }
    }
    expect([loki.ingester.chunk_block_size, loki.ingester.chunk_target_size]).toEqual([blockBytes, chunkBytes])
  })
})
