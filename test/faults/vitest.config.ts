import { defineConfig } from 'vitest/config'

// The life of a lab with something broken in the middle; each test leaves no lab behind.
export default defineConfig({
  test: {
    include: ['test/faults/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 15 * 60_000,
    hookTimeout: 5 * 60_000,
  },
})
