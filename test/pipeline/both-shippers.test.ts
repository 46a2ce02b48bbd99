import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeArrival, exactly, waitForArrival } from './support/arrival.ts'
import { edgeCaseLines, invalidLines } from './support/edge-cases.ts'
import type { StoredEvent } from './support/expected-event.ts'
import { recordedLines } from './support/feed.ts'
import { Pipeline, type Shipper, shippers } from './support/pipeline.ts'

// Sends the same recording through both shippers. The events in Loki must be the same.

const lines = [...edgeCaseLines(), ...recordedLines()]
const found = {} as Record<Shipper, StoredEvent[]>
let pipelines: Pipeline[] = []

beforeAll(async () => {
  pipelines = await Promise.all(shippers.map(shipper => new Pipeline(shipper).start()))
})
afterAll(() => Promise.all(pipelines.map(pipeline => pipeline.remove())))

it.each(shippers)('%s delivers every event once, with the line as written and the right labels', async shipper => {
  const pipeline = pipelines[shippers.indexOf(shipper)]!
  const file = pipeline.exportFile()
  file.append(lines)
  file.close()
  const arrival = await waitForArrival(pipeline, lines)
  console.log(describeArrival(shipper, lines, arrival))
  expect(arrival).toEqual({ ...exactly(lines), resent: 0 })
  found[shipper] = await pipeline.loki.events()
})

/** Counts equal keys. */
function countKeys(keys: string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const key of keys.sort()) counts[key] = (counts[key] ?? 0) + 1
  return counts
}
const sortedJson = (values: Record<string, string>): string => JSON.stringify(Object.entries(values).sort())

it('both shippers give the same counts for each set of labels', () => {
  const [otel, fluentBit] = shippers.map(shipper => countKeys(found[shipper].map(({ labels }) => sortedJson(labels))))
  console.log(`${Object.keys(otel!).length} streams`)
  expect(Object.keys(otel!).length).toBeGreaterThan(5)
  expect(fluentBit).toEqual(otel)
})

it('both shippers give the same counts for each value of metadata', () => {
  const [otel, fluentBit] = shippers.map(shipper =>
    countKeys(found[shipper].flatMap(({ metadata }) => Object.entries(metadata).map(pair => pair.join(' = ')))),
  )
  const names = new Set(Object.keys(otel!).map(key => key.split(' = ')[0]))
  console.log(`${names.size} names, ${Object.keys(otel!).length} values`)
  expect(names).toContain('tetragon_blocked')
  expect(names).toContain('severity_number')
  expect(fluentBit).toEqual(otel)
})

it('both shippers give the same lines at the same nanosecond', () => {
  const [otel, fluentBit] = shippers.map(shipper => found[shipper].map(({ time, line }) => `${time} ${line}`).sort())
  expect(otel).toHaveLength(lines.length)
  expect(fluentBit).toEqual(otel)
})

it.each(shippers)('%s delivers the events before and after an invalid line', async shipper => {
  const pipeline = new Pipeline(shipper)
  pipelines.push(pipeline)
  await pipeline.start()
  const file = pipeline.exportFile()
  const events = edgeCaseLines()
  file.append(events.flatMap((line, index) => [line, invalidLines[index] ?? line.slice(0, 50)]))
  await pipeline.loki.waitForCount(events.length * 2, { seconds: 60 })
  const stored = await pipeline.loki.events()
  expect(
    stored
      .filter(({ line }) => events.includes(line))
      .map(({ line }) => line)
      .sort(),
  ).toEqual([...events].sort())
  const others = stored.filter(({ line }) => !events.includes(line))
  expect(others.map(({ line }) => line)).toEqual(expect.arrayContaining(invalidLines))
  for (const { labels, metadata } of others) {
    expect(labels).toEqual({ service_name: 'tetragon' })
    expect(metadata).toEqual({ severity_text: 'info', severity_number: '9', detected_level: 'info' })
  }
})
