import { defineConfig } from 'vitest/config'

// The parts of one run, in order. A part that fails does not stop the others, so that the table has every count.
export default defineConfig({
  test: {
    include: ['test/production/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 45 * 60_000,
    hookTimeout: 5 * 60_000,
  },
})
