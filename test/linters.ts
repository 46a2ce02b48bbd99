import { globSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { execa } from 'execa'
import { labDir, projectDir } from '../shared/paths.ts'

// Runs the linters that npm does not have: `node test/linters.ts`. .ci/linters installs them.

interface Linter {
  program: string
  args: string[]
}

const files = (...patterns: string[]): string[] => {
  const found = globSync(patterns, { cwd: projectDir, exclude: name => name === 'node_modules' }).toSorted()
  if (found.length === 0) throw new Error(`No file matches ${patterns.join(', ')}`)
  return found
}
const forms = files('.github/ISSUE_TEMPLATE/*.yml').filter(file => !file.endsWith('/config.yml'))
const schema = (name: string, ...of: string[]): Linter => ({
  program: 'check-jsonschema',
  args: ['--builtin-schema', `vendor.${name}`, ...of],
})

const linters: Linter[] = [
  // Checks the scripts of the workflows too, with shellcheck.
  { program: 'actionlint', args: files('.github/workflows/*.yml') },
  { program: 'zizmor', args: ['--offline', '--quiet', '--pedantic', '--no-progress', '.github', 'action.yml'] },
  {
    program: 'shellcheck',
    args: files(
      'lab',
      'install.sh',
      '.ci/{linters,release,run}',
      '.devcontainer/**/*.sh',
      '{labs,scripts,stacks,test}/**/*.{sh,bash}',
    ),
  },
  schema('github-issue-forms', ...forms),
  schema('github-issue-config', '.github/ISSUE_TEMPLATE/config.yml'),
  schema('github-actions', 'action.yml'),
  // Only the form. Renovate's own validator is large: npm run check:renovate.
  schema('renovate', '.github/renovate.json'),
]

/** Runs a linter. @returns what it found, or that it is missing. */
async function lint({ program, args }: Linter): Promise<{ problems?: string; missing?: string }> {
  const { failed, code, all } = await execa(program, args, {
    cwd: projectDir,
    env: { PATH: [join(labDir(), 'linters', 'bin'), process.env.PATH].join(delimiter), NO_COLOR: '1' },
    stdin: 'ignore',
    reject: false,
    all: true,
  })
  if (code === 'ENOENT') return { missing: program }
  return failed ? { problems: `${program}:\n${all}` } : {}
}

const results = await Promise.all(linters.map(lint))
const missing = new Set(results.flatMap(result => result.missing ?? []))
for (const program of missing) console.error(`Skipped ${program}: it is not installed. To install it, run .ci/linters`)
const problems = results.flatMap(result => result.problems ?? [])
if (problems.length > 0) {
  console.error(problems.join('\n\n'))
  process.exitCode = 1
}
