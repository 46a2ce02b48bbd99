import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { describeArrival, exactly, waitForArrival } from './support/arrival.ts'
import { Feed } from './support/feed.ts'
import { Pipeline, shippers } from './support/pipeline.ts'

// Loki is down for LAB_TEST_AWAY seconds while events continue. The lab guarantees 10 minutes:
// `LAB_TEST_AWAY=600 ./lab test pipeline outage`.

const outageSeconds = Number(process.env.LAB_TEST_AWAY || 30)
/** More than a busy Guestbook produces. */
const eventsPerSecond = 20
let pipelines: Pipeline[] = []

afterEach(() => Promise.all(pipelines.splice(0).map(pipeline => pipeline.remove())))

it(`loses and duplicates nothing when Loki is down for ${outageSeconds} s${outageSeconds < 600 ? ' (the lab guarantees 600 s)' : ''}`, async () => {
  pipelines = await Promise.all(shippers.map(shipper => new Pipeline(shipper).start()))
  const feeds = pipelines.map(pipeline => new Feed(pipeline.exportFile(), eventsPerSecond))
  await sleep(5_000)
  await Promise.all(pipelines.map(pipeline => pipeline.stopLoki()))
  await sleep(outageSeconds * 1000)
  await Promise.all(pipelines.map(pipeline => pipeline.startLoki()))
  await sleep(5_000)
  for (const [index, shipper] of shippers.entries()) {
    const lines = await feeds[index]!.stop()
    const arrival = await waitForArrival(pipelines[index]!, lines, 300)
    console.log(describeArrival(`${shipper}, ${outageSeconds} s without Loki`, lines, arrival))
    expect(lines.length).toBeGreaterThan(outageSeconds * eventsPerSecond)
    expect(arrival).toMatchObject(exactly(lines))
  }
})

it('loses nothing when the shipper restarts while Loki is down', async () => {
  pipelines = await Promise.all(shippers.map(shipper => new Pipeline(shipper).start()))
  const feeds = pipelines.map(pipeline => new Feed(pipeline.exportFile(), eventsPerSecond))
  await sleep(3_000)
  await Promise.all(pipelines.map(pipeline => pipeline.stopLoki()))
  await sleep(5_000)
  await Promise.all(pipelines.map(pipeline => pipeline.stopShipper()))
  await sleep(3_000)
  await Promise.all(pipelines.map(pipeline => pipeline.startShipper()))
  await sleep(5_000)
  await Promise.all(pipelines.map(pipeline => pipeline.startLoki()))
  for (const [index, shipper] of shippers.entries()) {
    const lines = await feeds[index]!.stop()
    const arrival = await waitForArrival(pipelines[index]!, lines)
    console.log(describeArrival(`${shipper}, restarted during the outage`, lines, arrival))
    expect(arrival).toMatchObject(exactly(lines))
  }
})
