import { defineConfig } from 'vitest/config'
import { timeLimit } from '../../shared/time-limit.ts'

// The tests of one lab run in order. A policy that fails does not keep the others from being tried.
export default defineConfig({
  test: {
    include: ['test/live/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: timeLimit(30 * 60_000),
    hookTimeout: timeLimit(10 * 60_000),
  },
})
