import { defineConfig } from 'vitest/config'

// Packing, copying and unpacking gigabytes takes minutes, and each test continues from the one before.
export default defineConfig({
  test: {
    include: ['test/offline/**/*.test.ts'],
    fileParallelism: false,
    testTimeout: 20 * 60_000,
    hookTimeout: 10 * 60_000,
    bail: 1,
  },
})
