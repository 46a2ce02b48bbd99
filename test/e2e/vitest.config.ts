import { defineConfig } from 'vitest/config'

// One lab at a time, from beginning to end.
export default defineConfig({
  test: {
    include: ['test/e2e/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 15 * 60_000,
    hookTimeout: 5 * 60_000,
    bail: 1,
  },
})
