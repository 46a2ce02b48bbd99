import { defineConfig } from 'vitest/config'

// Needs a running lab. The load test is one long run.
export default defineConfig({
  test: {
    include: ['test/load/**/*.test.ts'],
    testTimeout: 60 * 60_000,
    hookTimeout: 5 * 60_000,
  },
})
