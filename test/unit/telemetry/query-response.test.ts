import { describe, expect, it } from 'vitest'
import {
  isLogQuery,
  parseLogLines,
  parseSamples,
  type QueryResponse,
} from '../../../scripts/telemetry/query-response.ts'

const response = (resultType: QueryResponse['data']['resultType'], result: unknown): QueryResponse => ({
  data: { resultType, result },
})

describe('parseSamples', () => {
  it('returns the value of each series of an instant query', () => {
    const vector = response('vector', [
      { metric: { job: 'loki' }, value: [1764000000, '1'] },
      { metric: {}, value: [1764000000, 'NaN'] },
    ])
    expect(parseSamples(vector)).toEqual([
      { labels: { job: 'loki' }, value: 1 },
      { labels: {}, value: Number.NaN },
    ])
  })

  it('returns the last value of each series of a range query, NaN for a series without values', () => {
    const matrix = response('matrix', [
      {
        metric: { pod: 'a' },
        values: [
          [1764000000, '1'],
          [1764000015, '2.5'],
        ],
      },
      { metric: { pod: 'b' }, values: [] },
    ])
    expect(parseSamples(matrix).map(({ value }) => value)).toEqual([2.5, Number.NaN])
  })

  it('returns one sample without labels for a scalar', () => {
    expect(parseSamples(response('scalar', [1764000000, '0.25']))).toEqual([{ labels: {}, value: 0.25 }])
  })

  it('returns the number of lines of each log stream, not what the lines say', () => {
    const streams = response('streams', [
      {
        stream: { pod: 'a' },
        values: [
          ['2', '7'],
          ['1', '9'],
        ],
      },
    ])
    expect(parseSamples(streams)).toEqual([{ labels: { pod: 'a' }, value: 2 }])
  })

  it('returns an empty list for an empty result', () => {
    expect(parseSamples(response('vector', []))).toEqual([])
    expect(parseSamples(response('streams', []))).toEqual([])
  })
})

describe('parseLogLines', () => {
  it('merges the streams, the oldest line first, each with the labels of its stream', () => {
    const streams = response('streams', [
      {
        stream: { pod: 'a' },
        values: [
          ['1764000003000000000', 'third'],
          ['1764000001999999999', 'first'],
        ],
      },
      { stream: { pod: 'b' }, values: [['1764000002000000000', 'second']] },
    ])
    expect(parseLogLines(streams)).toEqual([
      { time: new Date(1764000001999), labels: { pod: 'a' }, line: 'first' },
      { time: new Date(1764000002000), labels: { pod: 'b' }, line: 'second' },
      { time: new Date(1764000003000), labels: { pod: 'a' }, line: 'third' },
    ])
  })
})

describe('isLogQuery', () => {
  it.each([
    ['{service_name="tetragon"}', true],
    [' \n{service_name="tetragon"} | json', true],
    ['sum(count_over_time({service_name="tetragon"}[5m]))', false],
    ['', false],
  ])('%j: %s', (query, expected) => {
    expect(isLogQuery(query)).toBe(expected)
  })
})
