import { defineConfig } from 'vitest/config'

// Everything here runs with nothing but Node: no Docker, no network. What needs a real cluster is in test/e2e and started by `lab test e2e`.
export default defineConfig({
  test: {
    include: ['test/{unit,plan}/**/*.test.ts'],
    // Most files wait for programs that they start: leaving a processor free would only make it longer.
    maxWorkers: '150%',
    // Colors would be on where CI is set, also without a terminal.
    env: { NO_COLOR: '1' },
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
