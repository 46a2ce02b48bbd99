import type { Command } from 'commander'
import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'

const suites: Record<string, { config: string; what: string }> = {
  unit: { config: 'vitest.config.ts', what: 'what needs nothing but Node: units, and the program under a fake engine' },
  pipeline: {
    config: 'test/pipeline/vitest.config.ts',
    what: 'the way of the events, with the real Loki and both shippers in containers of their own (Docker; a lab that is up is left alone)',
  },
  faults: {
    config: 'test/faults/vitest.config.ts',
    what: 'the same with something broken in the middle: interrupted, killed, deleted (Docker; a lab that is up is left alone)',
  },
  load: {
    config: 'test/load/vitest.config.ts',
    what: '2,000 events a second through replay for ten minutes, counted at every stage (a lab that is up and replays; it stays as it is)',
  },
  offline: {
    config: 'test/offline/vitest.config.ts',
    what: 'a bundle made here, and loaded and stood up by a fresh clone in a network namespace with no way out (Docker, root; no lab may be up)',
  },
  documents: {
    config: 'test/documents/vitest.config.ts',
    what: 'every row of docs/documents.md that needs a lab (one that is up; it stays as it is)',
  },
  e2e: {
    config: 'test/e2e/vitest.config.ts',
    what: 'the real thing: up, verify, up again, down, nothing left (Docker; no lab may be up)',
  },
}

export function register(program: Command): void {
  program
    .command('test')
    .description(
      `test the lab itself: ${Object.entries(suites)
        .map(([name, { what }]) => `${name}: ${what}`)
        .join('; ')}`,
    )
    .argument('[suite]', Object.keys(suites).join(' or '), 'unit')
    .argument('[files...]', 'only these test files')
    .option('--json', 'print the results as JSON')
    .addHelpText('after', '\nExample:\n  ./lab test e2e')
    .action(async (name: string, files: string[], { json = false }: { json?: boolean }) => {
      const suite = Object.hasOwn(suites, name) ? suites[name] : undefined
      if (!suite)
        throw new LabError({
          found: `no test suite named ${name}`,
          expected: Object.keys(suites).join(' or '),
          next: `./lab test ${nearest(name, Object.keys(suites)) ?? '--help'}`,
          exitCode: 2,
        })
      const reporter = json ? ['--reporter', 'json'] : []
      if (name === 'unit' && !json && files.length === 0) {
        const check = await execa('npm', ['run', '--silent', 'check'], {
          cwd: projectDir,
          stdio: 'inherit',
          reject: false,
          preferLocal: true,
        })
        if (check.exitCode !== 0) process.exitCode = 1
      }
      const { exitCode } = await execa('vitest', ['run', '--config', suite.config, ...reporter, ...files], {
        cwd: projectDir,
        stdio: 'inherit',
        reject: false,
        preferLocal: true,
      })
      process.exitCode ||= exitCode
    })
}
