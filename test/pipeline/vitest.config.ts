import { defineConfig } from 'vitest/config'

// Real Loki, real shippers, in plain containers: one file after the other, because each keeps a machine busy.
export default defineConfig({
  test: {
    include: ['test/pipeline/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 30 * 60_000,
    hookTimeout: 3 * 60_000,
  },
})
