import { afterAll, beforeAll, expect, it } from 'vitest'
import { LoadTest } from '../../bench/load/load-test.ts'
import { costs, stages } from '../../bench/load/report.ts'

// Sends LAB_TEST_RATE events per second from the file to Loki for LAB_TEST_MINUTES.

const rate = Number(process.env.LAB_TEST_RATE || 2000)
const minutes = Number(process.env.LAB_TEST_MINUTES || 10)
let load: LoadTest

beforeAll(async () => {
  load = await LoadTest.start(line => console.log(line))
})
afterAll(() => load?.restore())

it(`loses and duplicates none of ${rate} events per second in ${minutes} minutes`, async () => {
  const run = await load.run(rate, minutes * 60)
  console.log(`${stages(run)}\n\n${costs(run.cost)}`)
  expect(run.written).toBeGreaterThan(0.98 * rate * run.seconds)
  expect(run).toMatchObject({
    read: run.written,
    sent: run.written,
    received: run.written,
    counted: run.written,
    found: run.written,
    lost: 0,
    twice: 0,
  })
  expect(run.identical[0]).toBe(run.identical[1])
  expect(run.lag).toBeLessThan(10)
})
