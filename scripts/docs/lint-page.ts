import { join } from 'node:path'
import { projectDir } from '../../shared/paths.ts'
import { type RuleInfo, ruleInfos } from '../policy/lint/lint.ts'
import { schemaVersion } from '../policy/model/crd-schema.ts'
import { compareYaml, explainRule } from '../policy/rule-explanation.ts'
import { codeBlock, escapeMarkdown, table } from './markdown.ts'

/** Path of the page about `lab policy lint`. */
export const lintPageFile = join(projectDir, 'docs', 'reference', 'lint.md')

/** Generates the page from the rules and their examples. */
export function lintPage(): string {
  const rules = [...ruleInfos].sort((a, b) => a.id.localeCompare(b.id))
  return `# Policy lint

Generated from \`scripts/policy/lint/\` by \`npm run docs\`. Do not edit.

\`lab policy lint\` finds what the API server or the agent of Tetragon ${schemaVersion()} would refuse or misread. It needs neither a cluster nor Docker, and works in any folder.

\`\`\`bash
./lab policy lint policies                            # a folder with its sub-folders
helm template CHART | ./lab policy lint -             # standard input
./lab policy lint --explain hot-hook                  # the reason for a rule, its source and examples
\`\`\`

In a folder it reads the files that end in \`.yaml\` or \`.yml\`, and skips those that are not about policies. A file that you name is always linted, unless you add \`--only-policies\`.

| level | meaning |
| --- | --- |
| error | The API server or the agent refuses the policy, or the policy does not do what it says |
| warning | It may be intended |
| note | It matters only to the lab's own pipeline. Files outside the lab's folder get one line for all notes |

| exit code | meaning |
| --- | --- |
| 0 | no errors |
| 1 | errors, or a file that does not exist |
| 2 | wrong usage, or a folder without policies |

To accept a finding, add a comment to the file. On a line of its own it counts for the file, at the end of a line for that line:

\`\`\`yaml
# lint: allow RULE, because REASON
\`\`\`

| \`--format\` | for |
| --- | --- |
| \`text\` | people: each finding, with the reason for its rule at the first one |
| \`json\` | scripts: a list of findings with \`rule\`, \`level\`, \`file\`, \`line\`, \`message\`, \`why\` and \`fix\` |
| \`sarif\` | code scanning: SARIF 2.1.0 |
| \`github\` | GitHub Actions: annotations of the lines |

## For another kernel

Without a kernel, the lint knows the functions of a recent one. To check against your own, write its names to a file on a node, and give the file to the lint:

\`\`\`bash
./lab policy symbols > kernel.txt                                # on the node itself
./lab policy symbols --script | ssh NODE sudo sh > kernel.txt    # on a node without the lab
./lab policy lint --kernel kernel.txt policies
\`\`\`

\`--here\` uses the kernel that the lab runs on. A kernel file is text:

| lines | contents |
| --- | --- |
| \`# Kernel names for lab policy lint --kernel, format 1\` | the first line |
| \`[syscalls]\` | system calls without the architecture's prefix, as in \`openat\` |
| \`[lsm]\` | LSM hooks, as in \`file_open\` |
| \`[functions]\` | other functions in \`/proc/kallsyms\`, as in \`security_file_open\` |
| \`[tracepoints]\` | tracepoints, as in \`sched/sched_switch\` |
| \`[probe]\` | \`key=value\`: release, architecture and features, as [probe.sh](../../scripts/kernel/probe.sh) prints them |

A section has one name a line. \`unknown: REASON\` in its place means that the user could not see the names: for tracepoints, run it as root. The lint skips the checks that need an unknown part.

## In other repositories

With [pre-commit](https://pre-commit.com), in \`.pre-commit-config.yaml\`:

\`\`\`yaml
repos:
  - repo: https://github.com/OWNER/tetragon-lab
    rev: COMMIT
    hooks:
      - id: lint-tracing-policies
\`\`\`

As a GitHub Action:

\`\`\`yaml
steps:
  - uses: actions/checkout@v5
  - uses: OWNER/tetragon-lab@COMMIT
    with:
      files: deploy/policies # default: the whole repository
      kernel: kernel.txt     # optional
      sarif: lint.sarif      # optional, for github/codeql-action/upload-sarif
\`\`\`

Both start the launcher \`lab\`, which finds or downloads Node and installs the dependencies once.

## Rules

The examples show what to change in a policy that breaks the rule. Both files of each are in [test/policies/rules](../../test/policies/rules).

${table(
  ['rule', 'level'],
  rules.map(({ id, level }) => [`[${id}](#${id})`, levelName(level)]),
)}

${rules.map(ruleSection).join('\n\n')}
`
}

const levelName = (level: RuleInfo['level']): string => (level === 'warn' ? 'warning' : level)

function ruleSection({ id, level, why }: RuleInfo): string {
  const { source, bad, good } = explainRule(id)
  const lines = compareYaml(bad, good).map(({ mark, text }) => `${mark}${text}`.trimEnd())
  return [
    `### ${id}`,
    '',
    escapeMarkdown(why),
    '',
    `Level: ${levelName(level)}. Source: ${sourceLink(source)}.`,
    '',
    codeBlock('diff', lines.join('\n')),
  ].join('\n')
}

function sourceLink(source: string): string {
  const [, path] = /^https:\/\/github\.com\/cilium\/tetragon\/blob\/[^/]+\/([^#]+)/.exec(source) ?? []
  if (path) return `[Tetragon, ${path}](${source})`
  return source.startsWith('https://') ? `<${source}>` : `[${source}](../../${source})`
}
