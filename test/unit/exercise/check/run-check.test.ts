import { describe, expect, it } from 'vitest'
import { checkIn, series } from '../../../fakes/checks.ts'
import type { FakeLab } from '../../../fakes/lab-client.ts'

const yes = { promql: { query: 'yes' } }

describe('all, any and not', () => {
  const no = { promql: { query: 'no' } }
  const answers: FakeLab = { promql: query => (query === 'yes' ? [series(1)] : []) }

  it('combine the results of other checks', async () => {
    expect(await checkIn({ all: [yes, yes] }, answers)).toMatchObject({ passed: true })
    expect(await checkIn({ all: [yes, no] }, answers)).toMatchObject({ passed: false })
    expect(await checkIn({ any: [no, yes] }, answers)).toMatchObject({ passed: true })
    expect(await checkIn({ all: [yes, { not: no }] }, answers)).toMatchObject({ passed: true })
    expect(await checkIn({ all: [yes, { not: yes }] }, answers)).toMatchObject({ passed: false, found: '1' })
  })
})
