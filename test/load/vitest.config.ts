import { defineConfig } from 'vitest/config'

// A lab that is up, given as much as it can take: one run, as long as it says.
export default defineConfig({
  test: {
    include: ['test/load/**/*.test.ts'],
    testTimeout: 60 * 60_000,
    hookTimeout: 5 * 60_000,
  },
})
