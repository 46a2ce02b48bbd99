import { join } from 'node:path'
import { projectDir } from '../../shared/paths.ts'
import { configNamespace, setCommand } from '../../shared/settings/config-commands.ts'
import { type SettingRow, settingRows } from '../../shared/settings/setting-rows.ts'
import { codeBlock, table } from './markdown.ts'

/** Path of the settings page. */
export const settingsPageFile = join(projectDir, 'docs', 'reference', 'settings.md')

/** Generates the settings page from the schema. */
export function settingsPage(): string {
  const rowsBySection = Map.groupBy(settingRows(), row => row.path.split('.')[0]!)
  const sections = [...rowsBySection].map(([section, rows]) => settingsSection(section, rows))
  return `# Settings

Generated from \`shared/settings/schema.ts\` by \`npm run docs\`. Do not edit.

Settings are the configuration of the Pulumi stack \`dev\`, in \`Pulumi.dev.yaml\`. Change one, then apply it:

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

\`Pulumi.production.yaml\` has the settings of a second stack, for a cluster of several nodes:
\`./lab --stack production plan\`.

If a value is wrong or a name is unknown, the error shows what is allowed and the command that corrects it.

${sections.join('\n\n')}
`
}

function settingsSection(section: string, rows: SettingRow[]): string {
  const cells = rows.map(({ path, default: standard, allowed, description }) => [
    `\`${path}\``,
    `\`${JSON.stringify(standard)}\``,
    allowed,
    description,
  ])
  const settings = table(['setting', 'default', 'allowed', 'meaning'], cells)
  return [`## ${section}`, settings, ...exampleCommands(rows)].join('\n\n')
}

function exampleCommands(rows: SettingRow[]): string[] {
  // The page shows how to set a plain value at its top.
  const lists = rows.filter(({ example }) => Array.isArray(example))
  const commands = lists.map(({ path, example }) => setCommand(path, example))
  return commands.length > 0 ? ['For example:', codeBlock('bash', commands.join('\n'))] : []
}
