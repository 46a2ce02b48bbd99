import { defineConfig } from 'vitest/config'

// These tests need a running lab, and leave it unchanged.
export default defineConfig({
  test: {
    include: ['test/documents/**/*.test.ts'],
    testTimeout: 3 * 60_000,
    // A command mostly waits for a response.
    maxConcurrency: 3,
  },
})
