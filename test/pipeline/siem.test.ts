import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { imageRef } from '../../shared/lock.ts'
import { severities } from '../../stacks/monitoring/fields.ts'
import { exactly, waitForArrival } from './support/arrival.ts'
import { edgeCaseLines } from './support/edge-cases.ts'
import { expectedEvent } from './support/expected-event.ts'
import { Feed, recordedLines } from './support/feed.ts'
import { Pipeline, shippers } from './support/pipeline.ts'

// Sends a second copy of the events to a SIEM, here a small receiver.

interface Received {
  requests: number
  held: { time: string; line: string; severity: number; severityText: string; attributes: Record<string, string> }[]
}

/** How long the SIEM is down. Long enough for many chunks in the queue: a single chunk would not show a blocked one. */
const outageSeconds = Number(process.env.LAB_TEST_AWAY || 30)

const receiver = readFileSync(join(import.meta.dirname, 'receiver', 'receiver.mjs'), 'utf8')
let pipeline: Pipeline

afterEach(() => pipeline.remove())

const startReceiver = (): Promise<void> =>
  pipeline.run('siem', {
    image: imageRef(pipeline.lab.lock.images.node),
    args: ['node', '/receiver/receiver.mjs'],
    memory: '256Mi',
    files: { '/receiver/receiver.mjs': receiver },
    port: 8080,
  })

const received = async (): Promise<Received> =>
  (await (await fetch(`http://${pipeline.address('siem')}/held`)).json()) as Received

async function receivedAll(count: number): Promise<Received> {
  await expect
    .poll(async () => (await received()).held.length, { timeout: 90_000 + outageSeconds * 200, interval: 1000 })
    .toBe(count)
  return received()
}

const byLine = <T extends { line: string }>(list: T[]): T[] =>
  list.toSorted((a, b) => (a.line < b.line ? -1 : a.line > b.line ? 1 : 0))

it.each(shippers)('%s delivers every event once by OTLP, with all attributes', async shipper => {
  pipeline = await new Pipeline(shipper, { protocol: 'otlp', endpoint: 'http://siem:4318' }).start({ shipper: false })
  await startReceiver()
  await pipeline.startShipper()
  const lines = [...edgeCaseLines(), ...recordedLines()]
  pipeline.exportFile().append(lines)
  const { requests, held } = await receivedAll(lines.length)
  console.log(`${shipper}: ${held.length} of ${lines.length} events by OTLP in ${requests} requests`)
  expect(await waitForArrival(pipeline, lines)).toMatchObject(exactly(lines))

  const expected = lines.map(expectedEvent).map(({ time, line, labels, metadata }) => {
    const { severity_number, severity_text, ...others } = metadata
    return {
      time: String(time),
      line,
      severity: Number(severity_number),
      severityText: severity_text,
      attributes: { ...labels, ...others },
    }
  })
  const actual = held.map(({ attributes, ...rest }) => ({
    ...rest,
    // OpenTelemetry's names to Loki's.
    attributes: Object.fromEntries(
      Object.entries(attributes)
        .filter(([, value]) => value !== '')
        .map(([name, value]) => [name.replaceAll('.', '_'), value]),
    ),
  }))
  expect(byLine(actual)).toEqual(byLine(expected))
})

it('fluent-bit delivers every event once by syslog, with its severity', async () => {
  pipeline = await new Pipeline('fluent-bit', { protocol: 'syslog', endpoint: 'siem:5514' }).start({ shipper: false })
  await startReceiver()
  await pipeline.startShipper()
  const lines = recordedLines()
  pipeline.exportFile().append(lines)
  const { held } = await receivedAll(lines.length)
  console.log(`fluent-bit: ${held.length} of ${lines.length} events by syslog`)
  expect(await waitForArrival(pipeline, lines)).toMatchObject(exactly(lines))
  const expected = lines.map(expectedEvent).map(({ time, line, metadata }) => ({
    // Syslog has microseconds.
    time: `${new Date(Number(time / 1_000_000n)).toISOString().slice(0, 20)}${String(time % 1_000_000_000n)
      .padStart(9, '0')
      .slice(0, 6)}Z`,
    line,
    severity: severities.find(({ number }) => String(number) === metadata.severity_number)!.syslog,
    severityText: '',
    attributes: { host: 'lab-control-plane', app: 'tetragon' },
  }))
  expect(byLine(held)).toEqual(byLine(expected))
})

it.each(shippers)(
  `%s delivers to Loki while the SIEM is down for ${outageSeconds} s, and to the SIEM afterwards`,
  async shipper => {
    pipeline = await new Pipeline(shipper, { protocol: 'otlp', endpoint: 'http://siem:4318' }).start()
    const feed = new Feed(pipeline.exportFile(), 20)
    await sleep(outageSeconds * 1000)
    const lines = await feed.stop()
    expect(await waitForArrival(pipeline, lines)).toMatchObject(exactly(lines))
    await startReceiver()
    const { held } = await receivedAll(lines.length)
    expect(held.map(({ line }) => line).sort()).toEqual([...lines].sort())
  },
)
