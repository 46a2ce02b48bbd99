import { defineConfig } from 'vitest/config'

// Runs one file at a time, because the containers of each keep the machine busy.
export default defineConfig({
  test: {
    include: ['test/pipeline/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 3 * 60_000,
  },
})
