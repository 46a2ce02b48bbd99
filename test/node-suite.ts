import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig, type ViteUserConfig } from 'vitest/config'
import { projectDir } from '../shared/paths.ts'

/** Configures a suite that needs only Node: no Docker and no network. `lab test --help` lists those that need more. */
export function nodeSuite(pattern: string): ViteUserConfig {
  const files = globSync(pattern, { cwd: projectDir })
  const mocksModules = (file: string): boolean => /\bvi\.mock\(/.test(readFileSync(join(projectDir, file), 'utf8'))
  return defineConfig({
    test: {
      projects: [
        // Loading the same modules again for each of 250 files would take as long as the tests.
        { extends: true, test: { name: 'shared', include: files.filter(file => !mocksModules(file)), isolate: false } },
        // A file that replaces modules gets its own.
        { extends: true, test: { name: 'with mocks', include: files.filter(mocksModules) } },
      ],
      // Many files wait for programs that they start.
      maxWorkers: '150%',
      env: {
        // Colors would be on where CI is set, also without a terminal.
        NO_COLOR: '1',
        // Programs that the tests start share compiled code.
        NODE_COMPILE_CACHE: join(projectDir, 'node_modules', '.cache', 'compile'),
      },
      setupFiles: ['test/unit/support/setup.ts'],
      testTimeout: 20_000,
      hookTimeout: 60_000,
    },
  })
}
