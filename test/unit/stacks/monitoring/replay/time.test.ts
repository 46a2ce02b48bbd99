import { expect, test } from 'vitest'
import { formatTime, parseTime, shiftTimestamps } from '../../../../../stacks/monitoring/replay/time.ts'

test.each([
  '2026-11-21T09:27:20.957577185Z',
  '2026-11-21T09:30:16.109578Z',
  '2026-11-21T09:30:16.100Z',
  '2026-11-21T09:28:10Z',
  '1969-12-31T23:59:59.999999999Z',
])('formats %s as it was parsed', text => {
  expect(formatTime(parseTime(text))).toBe(text)
})

test('parses nanoseconds exactly', () => {
  expect(parseTime('1970-01-01T00:00:01.000000001Z')).toBe(1_000_000_001n)
})

test.each(['2026-13-01T00:00:00Z', '2026-11-21 09:28:10', 'never'])('rejects %s', text => {
  expect(() => parseTime(text)).toThrow(`"${text}" is not a timestamp`)
})

test('shifts a timestamp and keeps whole seconds whole', () => {
  const line = '{"time":"2026-11-21T09:27:20.5Z","start": "2026-11-21T09:27:20Z"}'
  expect(shiftTimestamps(line, ns => ns + 1_600_000_000n)).toBe(
    '{"time":"2026-11-21T09:27:22.100Z","start": "2026-11-21T09:27:21Z"}',
  )
})

test('leaves a timestamp inside a longer string as it is', () => {
  const line = '{"process_exec":{"arguments":"--since=2026-11-21T09:27:20Z \\"time\\":\\"2026-11-21T09:27:20Z\\""}}'
  expect(shiftTimestamps(line, ns => ns + 1n)).toBe(line)
})
