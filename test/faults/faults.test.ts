import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { cutOffFaults } from './cut-off.ts'
import { machineFaults } from './machine.ts'
import { pipelineFaults } from './pipeline.ts'
import { refusedFaults } from './refused.ts'
import { standingFaults } from './standing.ts'
import { pageOf, rows, tableOf } from './support/table.ts'
import { lab, removeCheckout } from './support/world.ts'

// What a room full of people does to a lab. Each fault is answered by one clear line, and the next `lab up` or `lab down` mends it.

beforeAll(async () => {
  expect(JSON.parse((await lab('status', '--json')).stdout)).toMatchObject({ state: 'down' })
})
afterAll(async () => {
  await lab('down', '--yes')
  removeCheckout()
  console.log(tableOf(rows))
  if (process.env.LAB_TEST_TABLE) writeFileSync(process.env.LAB_TEST_TABLE, pageOf(rows))
})

describe('refused before anything is made', refusedFaults)
describe('cut off', cutOffFaults)
describe('under a lab that stands', standingFaults)
describe('on the way of the events', pipelineFaults)
describe('of the machine', machineFaults)
