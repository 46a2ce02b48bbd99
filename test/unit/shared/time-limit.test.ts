import { afterEach, expect, test, vi } from 'vitest'
import { runLimited } from '../../../shared/run-limited.ts'
import { timeLimit } from '../../../shared/time-limit.ts'

afterEach(() => vi.unstubAllEnvs())

test.each<[string | undefined, number]>([
  [undefined, 200],
  ['', 200],
  ['1', 200],
  ['2.5', 500],
])('with the factor %s, a limit of 200 ms is %d ms', (factor, limit) => {
  vi.stubEnv('LAB_TIME_FACTOR', factor)
  expect(timeLimit(200)).toBe(limit)
})

test.each(['0', '-2', '101', 'slow'])('the factor %s is refused', factor => {
  vi.stubEnv('LAB_TIME_FACTOR', factor)
  expect(() => timeLimit(1)).toThrowError(`LAB_TIME_FACTOR is ${factor}`)
})

test('a program may run as long as the factor allows', async () => {
  vi.stubEnv('LAB_TIME_FACTOR', '100')
  expect(await runLimited('sh', ['-c', 'sleep 0.3'], { timeoutMs: 100 })).toMatchObject({
    timedOut: false,
    exitCode: 0,
  })
})
