import { defineConfig } from 'vitest/config'

// Against a lab that is up, which it leaves as it was.
export default defineConfig({
  test: {
    include: ['test/documents/**/*.test.ts'],
    testTimeout: 3 * 60_000,
    // Most of a row's time is waiting for an answer.
    maxConcurrency: 3,
  },
})
