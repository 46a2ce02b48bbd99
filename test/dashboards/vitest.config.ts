import { defineConfig } from 'vitest/config'

// Needs Chromium, and a running lab whose Grafana has a front end. The tests only read.
export default defineConfig({
  test: {
    include: ['test/dashboards/**/*.test.ts'],
    // Each test draws one dashboard at three widths.
    testTimeout: 10 * 60_000,
    hookTimeout: 2 * 60_000,
    // Two browsers would compete for the processor, and Grafana gives up on slow queries.
    fileParallelism: false,
  },
})
