import { defineConfig } from 'vitest/config'

// Needs Chromium and the packages of site/ (npm ci --prefix site --ignore-scripts), but no network and no lab.
export default defineConfig({
  test: {
    include: ['test/site/**/*.test.ts'],
    testTimeout: 90_000,
    // The first hook builds the site.
    hookTimeout: 10 * 60_000,
  },
})
