import { defineConfig } from 'vitest/config'

// The tests of one lab run in order, and the first failure ends the run.
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 15 * 60_000,
    hookTimeout: 5 * 60_000,
    bail: 1,
  },
})
