import { defineConfig } from 'vitest/config'

// Gigabytes are packed, carried and unpacked: minutes, one thing after the other.
export default defineConfig({
  test: {
    include: ['test/offline/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 20 * 60_000,
    hookTimeout: 10 * 60_000,
    bail: 1,
  },
})
