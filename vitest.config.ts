import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// Everything here needs only Node, no Docker and no network. `lab test --help` lists the suites that need more.

const files = globSync('test/{unit,plan}/**/*.test.ts', { cwd: import.meta.dirname })
const mocksModules = (file: string): boolean =>
  /\bvi\.mock\(/.test(readFileSync(join(import.meta.dirname, file), 'utf8'))

export default defineConfig({
  test: {
    projects: [
      // Loading the same modules again for each of 250 files would take as long as the tests.
      { extends: true, test: { name: 'unit', include: files.filter(file => !mocksModules(file)), isolate: false } },
      // A file that replaces modules gets its own.
      { extends: true, test: { name: 'unit with mocks', include: files.filter(mocksModules) } },
    ],
    // Many files wait for programs that they start.
    maxWorkers: '150%',
    env: {
      // Colors would be on where CI is set, also without a terminal.
      NO_COLOR: '1',
      // Programs that the tests start share compiled code.
      NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'compile'),
    },
    setupFiles: ['test/unit/support/setup.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
