import { describe, expect, it } from 'vitest'
import { compareResults } from '../../../../scripts/exercise/check/compare-results.ts'
import type { Sample } from '../../../../scripts/telemetry/query-response.ts'
import { LabError } from '../../../../shared/lab-error.ts'
import { checkIn, now, series } from '../../../fakes/checks.ts'
import type { FakeLab } from '../../../fakes/lab-client.ts'

describe('answers', () => {
  const check = { answer: { from: { logql: 'q' }, label: 'k8s_pod_name' } }
  const answers: FakeLab = {
    logql: () => [series(3, { k8s_pod_name: 'visitor-1' }), series(0, { k8s_pod_name: 'idle' })],
  }
  const given = (value: string, at = now) => ({ answer: { value, at } })

  it('are compared with the labels of the series', async () => {
    expect(await checkIn(check, answers)).toMatchObject({
      passed: false,
      untried: true,
      expected: /exercise answer find/,
    })
    expect(await checkIn(check, answers, given('visitor-1'))).toMatchObject({ passed: true })
    expect(await checkIn(check, answers, given(' `Visitor-1` '))).toMatchObject({ passed: true })
    expect(await checkIn(check, answers, given('redis'))).toMatchObject({ passed: false, found: 'your answer redis' })
    // A series with the value 0 is not an answer.
    expect(await checkIn(check, answers, given('idle'))).toMatchObject({ passed: false })
  })

  it('do not give the right one away', async () => {
    const { found, expected } = await checkIn(check, answers, given('redis'))
    expect(`${found} ${expected}`).not.toContain('visitor-1')
  })

  it('may name a program without its folder', async () => {
    const programs: FakeLab = { logql: () => [series(1, { k8s_pod_name: '/usr/bin/cat' })] }
    expect(await checkIn(check, programs, given('cat'))).toMatchObject({ passed: true })
    expect(await checkIn(check, programs, given('at'))).toMatchObject({ passed: false })
  })

  it('that were right when they were given stay right', async () => {
    const before = new Date('2026-11-21T10:05:00Z')
    const growing: FakeLab = { promql: (_, at) => [series(at.getTime() === before.getTime() ? 100 : 200)] }
    const number = { answer: { from: { promql: 'q' }, tolerance: 0.1 } }
    expect(await checkIn(number, growing, given('95', before))).toMatchObject({ passed: true })
    expect(await checkIn(number, growing, given('210', before))).toMatchObject({ passed: true })
    expect(await checkIn(number, growing, given('150', before))).toMatchObject({ passed: false })
  })

  it('can come from objects and commands, and can be decoded', async () => {
    const kube = { answer: { from: { kube: { get: 'pods', jsonpath: '{.items[*].metadata.name}' } } } }
    expect(await checkIn(kube, { kubectl: () => ({ stdout: 'a b' }) }, given('b'))).toMatchObject({ passed: true })
    const run = { all: [{ answer: { from: { run: 'uname -r' } } }, { kube: { get: 'pods' } }] }
    const node: FakeLab = { run: () => ({ stdout: '6.1.0\n' }), kubectl: () => ({ stdout: 'pod/a' }) }
    expect(await checkIn(run, node, given('6.1.0'))).toMatchObject({ passed: true })
    const decoded = { answer: { from: { logql: 'q' }, label: 'id', decode: 'base64' } }
    const ids: FakeLab = { logql: () => [series(1, { id: Buffer.from('lab:5:42').toString('base64') })] }
    expect(await checkIn(decoded, ids, given('lab:5:42'))).toMatchObject({ passed: true })
  })

  it('without data to compare with are the lab’s fault, not the student’s', async () => {
    expect(await checkIn(check, {}, given('visitor-1'))).toMatchObject({
      passed: false,
      found: expect.stringMatching(/no data/),
      unable: './lab verify',
    })
    const pods = { kube: { get: 'pods' } }
    expect(await checkIn({ all: [{ answer: { from: { run: 'false' } } }, pods] }, {}, given(''))).toMatchObject({
      passed: false,
    })
    // An object that the student should have created is not the lab's fault.
    const kube = { answer: { from: { kube: { get: 'pod/mine', jsonpath: '{.x}' } } } }
    const result = await checkIn(kube, {}, given('a'))
    expect(result).toMatchObject({ passed: false, found: 'no answer can be right yet: pod/mine does not exist' })
    expect(result.unable).toBeUndefined()
  })
})

describe('queries', () => {
  const wanted = [series(10, { pod: 'a' }), series(20, { pod: 'b' })]
  const compare = (given: Sample[]) => compareResults(wanted, given, ['pod'], 0.2)

  it.each([
    ['the same values, within the tolerance', [series(11, { pod: 'a' }), series(20, { pod: 'b' })], true, /2 series/],
    ['additional labels', [series(10, { pod: 'a', x: '1' }), series(20, { pod: 'b', x: '1' })], true, /./],
    ['an empty result', [], false, /returns nothing/],
    ['a missing series', [series(10, { pod: 'a' })], false, /no series for b/],
    ['an extra series', [...wanted, series(1, { pod: 'c' })], false, /unexpected series: c/],
    ['a different value', [series(3000, { pod: 'a' }), series(20, { pod: 'b' })], false, /3000 for a/],
    [
      'another label to group by',
      [series(5, { pod: 'a', type: 'x' }), series(5, { pod: 'a', type: 'y' }), series(20, { pod: 'b' })],
      false,
      /2 series for a: they differ in type/,
    ],
  ])('with %s', (_, given, passed, found) => {
    expect(compare(given)).toMatchObject({ passed, found })
  })

  it('of logs are compared by their number of lines', async () => {
    const evaluated: string[] = []
    const answers: FakeLab = {
      logql: query => {
        evaluated.push(query)
        return [series(4, { pod: 'a' })]
      },
    }
    const check = { query: { logql: '{a="b"} | c="d"', by: ['pod'] } }
    expect(await checkIn(check, answers, { answer: { value: '{a="b"}', at: now } })).toMatchObject({ passed: true })
    expect(evaluated).toContain('sum by (pod) (count_over_time({a="b"} [15m]))')
    expect(await checkIn(check, answers, { answer: { value: 'sum(rate({a="b"}[5m]))', at: now } })).toMatchObject({
      passed: false,
      found: 'a query that returns numbers',
    })
  })

  it('with a syntax error show the language’s own message', async () => {
    const answers: FakeLab = {
      promql: query => {
        if (query === 'good') return [series(1)]
        throw new LabError({
          found:
            'Grafana answers 400 to /api/…: {"status":"error","error":"1:5: parse error: unclosed left parenthesis"}',
          expected: '200',
          next: './lab logs grafana',
        })
      },
    }
    expect(await checkIn({ query: { promql: 'good' } }, answers, { answer: { value: 'sum(', at: now } })).toMatchObject(
      {
        passed: false,
        found: '1:5: parse error: unclosed left parenthesis',
      },
    )
  })
})
