import { afterAll, beforeAll, expect, it } from 'vitest'
import { costs, stages } from '../../bench/load/report.ts'
import { Load } from '../../bench/load/run.ts'

// Many events a second, from the file to Loki. How many and for how long, in minutes, is said by LAB_TEST_RATE and LAB_TEST_MINUTES.

const rate = Number(process.env.LAB_TEST_RATE || 2000)
const minutes = Number(process.env.LAB_TEST_MINUTES || 10)
let load: Load

beforeAll(async () => {
  load = await Load.take(line => console.log(line))
})
afterAll(() => load?.restore())

it(`loses nothing, and has nothing twice, of ${rate} events a second for ${minutes} minutes`, async () => {
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
