import { describe, expect, it } from 'vitest'
import { runCheck } from '../../../../scripts/exercise/check/run-check.ts'
import { checkIn, checkOf, contextOf, series, startedAt } from '../../../fakes/checks.ts'
import { type FakeLab, unreachableLabClient } from '../../../fakes/lab-client.ts'

describe('promql and logql', () => {
  it('check the value of a series, and how many series have it', async () => {
    const answers = { promql: () => [series(5, { pod: 'a' }), series(0, { pod: 'b' })] }
    expect(await checkIn({ promql: { query: 'x' } }, answers)).toMatchObject({ passed: true, found: 'a: 5, b: 0' })
    expect(await checkIn({ promql: { query: 'x', series: '>= 2' } }, answers)).toMatchObject({
      passed: false,
      expected: 'more than 0 in at least 2 series',
    })
    expect(await checkIn({ promql: { query: 'x', is: '>= 6' } }, answers)).toMatchObject({ passed: false })
  })

  it('count the lines of a log query since the start, in all streams', async () => {
    const seen: Date[] = []
    const answers: FakeLab = {
      logql: (_, from) => {
        seen.push(from)
        return [series(2, { pod: 'a' }), series(3, { pod: 'b' })]
      },
    }
    expect(await checkIn({ logql: { query: '{a="b"}', is: '>= 5' } }, answers)).toMatchObject({
      passed: true,
      found: '5',
    })
    expect(seen).toEqual([startedAt])
  })

  it('replace $since by the time since the start', async () => {
    const queries: string[] = []
    await checkIn(
      { logql: { query: 'count_over_time({a="b"}[$since])' } },
      {
        logql: query => {
          queries.push(query)
          return []
        },
      },
    )
    expect(queries).toEqual(['count_over_time({a="b"}[600s])'])
  })

  it('fail on an empty result, on NaN, and when the lab does not respond', async () => {
    expect(await checkIn({ promql: { query: 'x', is: '>= 0' } })).toMatchObject({ passed: false, found: /empty/ })
    expect(await checkIn({ promql: { query: 'x' } }, { promql: () => [series(Number.NaN)] })).toMatchObject({
      passed: false,
    })
    expect(await runCheck(checkOf({ promql: { query: 'x' } }), contextOf(unreachableLabClient()))).toMatchObject({
      passed: false,
      found: 'Grafana is not responding',
    })
  })
})
