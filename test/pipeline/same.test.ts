import { afterAll, beforeAll, expect, it } from 'vitest'
import { allOf, arrived, told } from './support/arrived.ts'
import { awkwardLines, noEvents } from './support/awkward.ts'
import { recordedLines } from './support/feed.ts'
import { Pipeline, type Shipper, shippers } from './support/pipeline.ts'
import type { Lifted } from './support/reference.ts'

// The same recording through either shipper: whoever asks Loki cannot tell which of them it was.

const lines = [...awkwardLines(), ...recordedLines()]
const found = {} as Record<Shipper, Lifted[]>
let pipelines: Pipeline[] = []

beforeAll(async () => {
  pipelines = await Promise.all(shippers.map(shipper => new Pipeline(shipper).start()))
})
afterAll(() => Promise.all(pipelines.map(pipeline => pipeline.remove())))

it.each(shippers)(
  '%s: every event arrives once, its line as it was written, its labels as they should be',
  async shipper => {
    const pipeline = pipelines[shippers.indexOf(shipper)]!
    const file = pipeline.exportFile()
    file.append(lines)
    file.close()
    const arrival = await arrived(pipeline, lines)
    console.log(told(shipper, lines, arrival))
    expect(arrival).toEqual({ ...allOf(lines), again: 0 })
    found[shipper] = await pipeline.loki.events()
  },
)

/** How many events there are of each. */
function tally(keys: string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const key of keys.sort()) counts[key] = (counts[key] ?? 0) + 1
  return counts
}
const inOrder = (values: Record<string, string>): string => JSON.stringify(Object.entries(values).sort())

it('gives the same counts for each set of labels', () => {
  const [otel, fluentBit] = shippers.map(shipper => tally(found[shipper].map(({ labels }) => inOrder(labels))))
  console.log(`${Object.keys(otel!).length} streams`)
  expect(Object.keys(otel!).length).toBeGreaterThan(5)
  expect(fluentBit).toEqual(otel)
})

it('gives the same counts for each value of each piece of metadata', () => {
  const [otel, fluentBit] = shippers.map(shipper =>
    tally(found[shipper].flatMap(({ metadata }) => Object.entries(metadata).map(pair => pair.join(' = ')))),
  )
  const names = new Set(Object.keys(otel!).map(key => key.split(' = ')[0]))
  console.log(`${names.size} names, ${Object.keys(otel!).length} values`)
  expect(names).toContain('tetragon_blocked')
  expect(names).toContain('severity_number')
  expect(fluentBit).toEqual(otel)
})

it('gives the same lines at the same nanosecond', () => {
  const [otel, fluentBit] = shippers.map(shipper => found[shipper].map(({ time, line }) => `${time} ${line}`).sort())
  expect(otel).toHaveLength(lines.length)
  expect(fluentBit).toEqual(otel)
})

it.each(shippers)('%s: a line that is no event is no harm to its neighbours', async shipper => {
  const pipeline = new Pipeline(shipper)
  pipelines.push(pipeline)
  await pipeline.start()
  const file = pipeline.exportFile()
  const events = awkwardLines()
  file.append(events.flatMap((line, index) => [line, noEvents[index] ?? line.slice(0, 50)]))
  await pipeline.loki.settled(events.length * 2, { seconds: 60 })
  const held = await pipeline.loki.events()
  expect(
    held
      .filter(({ line }) => events.includes(line))
      .map(({ line }) => line)
      .sort(),
  ).toEqual([...events].sort())
  const others = held.filter(({ line }) => !events.includes(line))
  expect(others.map(({ line }) => line)).toEqual(expect.arrayContaining(noEvents))
  for (const { labels, metadata } of others) {
    expect(labels).toEqual({ service_name: 'tetragon' })
    expect(metadata).toEqual({ severity_text: 'info', severity_number: '9', detected_level: 'info' })
  }
})
