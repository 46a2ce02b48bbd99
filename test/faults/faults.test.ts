import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import { interruptedFaults } from './interrupted.ts'
import { machineFaults } from './machine.ts'
import { pipelineFaults } from './pipeline.ts'
import { rejectedFaults } from './rejected.ts'
import { runningLabFaults } from './running-lab.ts'
import { faultRows, pageOf, tableOf } from './support/fault-table.ts'
import { lab, removeCheckout } from './support/test-lab.ts'

// After each fault, one line names the problem and the next `lab up` or `lab down` repairs it.

beforeAll(async () => {
  expect(JSON.parse((await lab('status', '--json')).stdout)).toMatchObject({ state: 'down' })
})
afterAll(async () => {
  await lab('down', '--yes')
  removeCheckout()
  console.log(tableOf(faultRows))
  if (process.env.LAB_TEST_TABLE) writeFileSync(process.env.LAB_TEST_TABLE, pageOf(faultRows))
})

describe('`lab up` creates nothing with', rejectedFaults)
describe('the next command recovers from', interruptedFaults)
describe('a running lab recovers when', runningLabFaults)
describe('no event is lost when', pipelineFaults)
describe('the lab copes with', machineFaults)
