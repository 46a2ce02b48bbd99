import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { allOf, arrived, told } from './support/arrived.ts'
import { Feed, recordedLines } from './support/feed.ts'
import { Pipeline, shippers } from './support/pipeline.ts'

// The shipper is killed in the middle of the stream, and started again. What it had sent but not noted down it sends again; Loki knows it.

/** Events a second: well above what a busy Guestbook makes. */
const pace = 50
let pipeline: Pipeline | undefined

afterEach(async () => {
  await pipeline?.remove()
  pipeline = undefined
})

it.each(shippers)('%s: killed five times in mid-stream, nothing is lost and nothing is there twice', async shipper => {
  pipeline = await new Pipeline(shipper).start()
  const feed = new Feed(pipeline.exportFile(), pace)
  for (let kill = 0; kill < 5; kill++) {
    // Not always at the same moment of a reading.
    await sleep(2_000 + kill * 237)
    await pipeline.killShipper()
    await pipeline.startShipper()
  }
  await sleep(2_000)
  const lines = await feed.stop()
  const arrival = await arrived(pipeline, lines)
  console.log(told(`${shipper}, killed five times`, lines, arrival))
  expect(arrival).toMatchObject(allOf(lines))
})

it.each(shippers)('%s: what is sent a second time is known for what it is', async shipper => {
  pipeline = await new Pipeline(shipper).start()
  const lines = recordedLines(600)
  const file = pipeline.exportFile()
  file.append(lines.slice(0, 300))
  await pipeline.loki.settled(300)
  await pipeline.killShipper()
  const before = await pipeline.shipperStorage()
  await pipeline.startShipper()
  file.append(lines.slice(300))
  await pipeline.loki.settled(600)
  await pipeline.killShipper()
  // As though it had been killed after sending and before noting it down.
  await pipeline.rewindShipper(before)
  await pipeline.startShipper()
  await expect.poll(() => pipeline!.loki.received(), { timeout: 60_000, interval: 500 }).toBe(900)
  const arrival = await arrived(pipeline, lines)
  console.log(told(`${shipper}, put back by half`, lines, arrival))
  expect(arrival).toEqual({ ...allOf(lines), again: 300 })
})
