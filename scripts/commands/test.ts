import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { execa } from 'execa'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import { requireLiveSource } from '../kernel/event-source.ts'
import { withValues } from '../terminal/lab-command.ts'
import { note } from '../terminal/output.ts'

interface Suite {
  config: string
  checks: string
  needs: string
  /** Throws a LabError where the suite cannot run. */
  require?: () => Promise<void>
}

const suites: Record<string, Suite> = {
  unit: {
    config: 'vitest.config.ts',
    checks: 'code style, types, texts, and units',
    needs: 'Node only',
  },
  programs: {
    config: 'test/programs/vitest.config.ts',
    checks: 'the launcher, scripts, bundles, and the Pulumi program with a fake engine',
    needs: 'Node only',
  },
  pipeline: {
    config: 'test/pipeline/vitest.config.ts',
    checks: 'events from the file to Loki, with the real Loki and both shippers',
    needs: 'Docker',
  },
  faults: {
    config: 'test/faults/vitest.config.ts',
    checks: 'recovery from interrupted, killed and deleted components',
    needs: 'Docker',
  },
  load: {
    config: 'test/load/vitest.config.ts',
    checks: '2,000 events a second for 10 minutes, counted at every stage',
    needs: 'a lab with a replay',
  },
  offline: {
    config: 'test/offline/vitest.config.ts',
    checks: 'a fresh clone that starts from a bundle without a network',
    needs: 'Docker, root, no lab',
  },
  documents: {
    config: 'test/documents/vitest.config.ts',
    checks: 'every row of docs/reference/documents.md that needs a lab',
    needs: 'a lab',
  },
  dashboards: {
    config: 'test/dashboards/vitest.config.ts',
    checks: 'every dashboard in a browser, at three widths, light and dark; saves pictures',
    needs: 'a lab, Chromium',
  },
  site: {
    config: 'test/site/vitest.config.ts',
    checks: 'the documentation site: builds it, opens its pages, follows its links, searches',
    needs: 'Chromium, the packages of site/',
  },
  production: {
    config: 'test/production/vitest.config.ts',
    checks: 'three nodes and an S3 server: up, verify, kill one of each, count every event, down',
    needs: 'Docker, Go, 12 GiB of memory',
  },
  e2e: {
    config: 'test/e2e/vitest.config.ts',
    checks: 'up, verify, up again, down, and nothing left',
    needs: 'Docker, no lab',
  },
  live: {
    config: 'test/live/vitest.config.ts',
    checks: 'every policy, triggered and observed, and every exercise, with a live agent',
    needs: 'a kernel that can trace, Docker, no lab',
    // A lab that runs already is asked by the tests themselves.
    require: async () => (process.env.LAB_TEST_LIVE_LAB ? undefined : requireLiveSource(readSettings())),
  },
}
const names = Object.keys(suites)
const nameWidth = Math.max(...names.map(name => name.length))

export function register(program: Command): void {
  program
    .command('test')
    .description('Run the tests of the lab itself')
    .addArgument(withValues(program.createArgument('[suite]', 'Suite to run').default('unit'), names))
    .argument('[files...]', 'Run only these test files')
    .option('--json', 'Print the results as JSON')
    .addHelpText('after', `\n${suiteTable()}\n\nNo suite changes a running lab.\n\nExample:\n  ./lab test e2e`)
    .action(async (name: string, files: string[], { json = false }: { json?: boolean }) => {
      const suite = findSuite(name)
      await suite.require?.()
      if (json) return runAsJson(suite, files)
      const tests = run('vitest', ['run', '--config', suite.config, ...files])
      if (name !== 'unit' || files.length > 0) return tests
      // The tests often wait for programs, which leaves time for the static checks.
      const checks = checkStatically()
      await tests
      const problems = await checks
      if (problems) note(problems)
    })
}

function suiteTable(): string {
  const width = (column: 'checks' | 'needs'): number =>
    Math.max(...Object.values(suites).map(suite => suite[column].length))
  const rows = names.map(name => {
    const { checks, needs } = suites[name]!
    return `  ${name.padEnd(nameWidth)}  ${checks.padEnd(width('checks'))}  ${needs}`
  })
  return [`  ${'Suite'.padEnd(nameWidth)}  ${'Checks'.padEnd(width('checks'))}  Needs`, ...rows].join('\n')
}

function findSuite(name: string): Suite {
  if (Object.hasOwn(suites, name)) return suites[name]!
  throw new LabError({
    found: `There is no test suite ${name}`,
    expected: `one of ${names.join(', ')}`,
    next: `./lab test ${nearest(name, names) ?? '--help'}`,
    exitCode: 2,
  })
}

/**
 * Checks format, types, spelling, Markdown, shell scripts and workflows.
 * @returns what is wrong, or which checks were skipped, to print after the report of the tests.
 */
async function checkStatically(): Promise<string> {
  const { exitCode, stderr, all } = await execa('npm', ['run', '--silent', 'check'], {
    cwd: projectDir,
    stdin: 'ignore',
    reject: false,
    all: true,
  })
  process.exitCode ||= exitCode
  return exitCode === 0 ? stderr : all
}

/** Runs a program in the checkout. If it fails, this command fails too, but only after the next program has run. */
async function run(program: string, args: string[], stdout: 'inherit' | NodeJS.WriteStream = 'inherit'): Promise<void> {
  const { exitCode } = await execa(program, args, {
    cwd: projectDir,
    stdin: 'inherit',
    stdout,
    stderr: 'inherit',
    reject: false,
    preferLocal: true,
  })
  process.exitCode ||= exitCode
}

/** Prints vitest's JSON report. It goes through a file, because vitest also prints notes on standard output. */
async function runAsJson(suite: Suite, files: string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lab-test-'))
  try {
    const report = join(folder, 'report.json')
    const reporter = ['--reporter', 'json', `--outputFile.json=${report}`]
    await run('vitest', ['run', '--config', suite.config, ...reporter, ...files], process.stderr)
    // There is no report if vitest itself failed; its own message is on standard error.
    if (existsSync(report)) process.stdout.write(`${readFileSync(report, 'utf8')}\n`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
