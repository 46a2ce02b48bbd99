import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { describeArrival, exactly, waitForArrival } from './support/arrival.ts'
import { Feed, recordedLines } from './support/feed.ts'
import { Pipeline, shippers } from './support/pipeline.ts'

// The shipper is killed and restarted. It sends again what it had sent after its last checkpoint, and Loki drops the
// duplicates.

/** Much more than a busy Guestbook produces. */
const eventsPerSecond = 50
let pipeline: Pipeline | undefined

afterEach(async () => {
  await pipeline?.remove()
  pipeline = undefined
})

it.each(shippers)('%s loses and duplicates nothing when it is killed 5 times', async shipper => {
  pipeline = await new Pipeline(shipper).start()
  const feed = new Feed(pipeline.exportFile(), eventsPerSecond)
  for (let kill = 0; kill < 5; kill++) {
    // At a different moment of the read cycle each time.
    await sleep(2_000 + kill * 237)
    await pipeline.killShipper()
    await pipeline.startShipper()
  }
  await sleep(2_000)
  const lines = await feed.stop()
  const arrival = await waitForArrival(pipeline, lines)
  console.log(describeArrival(`${shipper}, killed 5 times`, lines, arrival))
  expect(arrival).toMatchObject(exactly(lines))
})

it.each(shippers)('%s: Loki drops events that are sent a second time', async shipper => {
  pipeline = await new Pipeline(shipper).start()
  const lines = recordedLines(600)
  const file = pipeline.exportFile()
  file.append(lines.slice(0, 300))
  await pipeline.loki.waitForCount(300)
  await pipeline.killShipper()
  const before = await pipeline.shipperStorage()
  await pipeline.startShipper()
  file.append(lines.slice(300))
  await pipeline.loki.waitForCount(600)
  await pipeline.killShipper()
  // As if it had been killed after sending and before saving its checkpoint.
  await pipeline.rewindShipper(before)
  await pipeline.startShipper()
  await expect.poll(() => pipeline!.loki.received(), { timeout: 60_000, interval: 500 }).toBe(900)
  const arrival = await waitForArrival(pipeline, lines)
  console.log(describeArrival(`${shipper}, rewound by half`, lines, arrival))
  expect(arrival).toEqual({ ...exactly(lines), resent: 300 })
})
