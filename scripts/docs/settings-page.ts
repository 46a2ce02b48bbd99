import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectDir } from '../../shared/paths.ts'
import { configNamespace, type SettingRow, setCommand, settingRows } from '../../shared/settings/schema.ts'

/** docs/settings.md, made from the schema: so that it cannot say anything else. */
export function settingsPage(): string {
  const rows = settingRows()
  const sections = Map.groupBy(rows, row => row.path.split('.')[0]!)
  const cell = (value: unknown) => `\`${JSON.stringify(value)}\``.replaceAll('|', '\\|')
  const tables = [...sections].map(([section, list]) =>
    [
      `## ${section}`,
      '',
      '| setting | default | allowed | what it does |',
      '| --- | --- | --- | --- |',
      ...list.map(
        row =>
          `| \`${row.path}\` | ${cell(row.default)} | ${row.allowed.replaceAll('|', '\\|')} | ${row.description.replaceAll('|', '\\|')} |`,
      ),
      ...examples(list),
    ].join('\n'),
  )
  return `# Settings

Made from the schema in \`shared/settings/schema.ts\` by \`npm run docs\`. Do not edit.

Settings are the configuration of the Pulumi stack \`dev\`, in \`Pulumi.dev.yaml\`. Set one, and bring the lab in line:

\`\`\`bash
./lab pulumi config set --path ${configNamespace}:traffic.rate 20
./lab up
\`\`\`

Or edit the file:

\`\`\`yaml
config:
  ${configNamespace}:traffic:
    rate: 20
\`\`\`

A wrong value or an unknown name is refused with what is allowed and the command that mends it.

${tables.join('\n\n')}
`
}

/** The commands that set what is worth an example. */
function examples(rows: SettingRow[]): string[] {
  const worth = rows.filter(row => row.example !== undefined)
  if (worth.length === 0) return []
  return ['', 'For example:', '', '```bash', ...worth.map(({ path, example }) => setCommand(path, example)), '```']
}

export const settingsFile = join(projectDir, 'docs', 'settings.md')

if (import.meta.main) writeFileSync(settingsFile, settingsPage())
