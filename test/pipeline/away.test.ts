import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { allOf, arrived, told } from './support/arrived.ts'
import { Feed } from './support/feed.ts'
import { Pipeline, shippers } from './support/pipeline.ts'

// Loki is away while events go on, and comes back. For how long, in seconds, is said by LAB_TEST_AWAY; ten minutes, which is what the lab
// promises, is run with `LAB_TEST_AWAY=600 ./lab test pipeline away`.

const away = Number(process.env.LAB_TEST_AWAY || 30)
/** Events a second: above what a busy Guestbook makes. */
const pace = 20
let pipelines: Pipeline[] = []

afterEach(() => Promise.all(pipelines.splice(0).map(pipeline => pipeline.remove())))

it(`loses nothing, and has nothing twice, after Loki was away for ${away} s${away < 600 ? ' (not run here: the promised 600 s)' : ''}`, async () => {
  pipelines = await Promise.all(shippers.map(shipper => new Pipeline(shipper).start()))
  const feeds = pipelines.map(pipeline => new Feed(pipeline.exportFile(), pace))
  await sleep(5_000)
  await Promise.all(pipelines.map(pipeline => pipeline.stopLoki()))
  await sleep(away * 1000)
  await Promise.all(pipelines.map(pipeline => pipeline.startLoki()))
  await sleep(5_000)
  for (const [index, shipper] of shippers.entries()) {
    const lines = await feeds[index]!.stop()
    const arrival = await arrived(pipelines[index]!, lines, 300)
    console.log(told(`${shipper}, ${away} s without Loki`, lines, arrival))
    expect(lines.length).toBeGreaterThan(away * pace)
    expect(arrival).toMatchObject(allOf(lines))
  }
})

it('loses nothing when the shipper is stopped and started again while Loki is away', async () => {
  pipelines = await Promise.all(shippers.map(shipper => new Pipeline(shipper).start()))
  const feeds = pipelines.map(pipeline => new Feed(pipeline.exportFile(), pace))
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
    const arrival = await arrived(pipelines[index]!, lines)
    console.log(told(`${shipper}, stopped in between`, lines, arrival))
    expect(arrival).toMatchObject(allOf(lines))
  }
})
