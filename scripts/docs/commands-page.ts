import { join } from 'node:path'
import type { Argument, Command, Option } from 'commander'
import { projectDir } from '../../shared/paths.ts'
import { loadProgram } from '../lab.ts'
import { codeBlock, escapeMarkdown, table } from './markdown.ts'

/** Path of the page about the commands. */
export const commandsPageFile = join(projectDir, 'docs', 'reference', 'commands.md')

/** Generates the page from the command table, with the examples of the help. */
export async function commandsPage(): Promise<string> {
  const program = await loadProgram()
  const commands = program.commands.flatMap(withSubcommands)
  const rows = commands.map(command => [
    `[${nameOf(command)}](#${nameOf(command).replaceAll(' ', '-')})`,
    escapeMarkdown(command.description()),
  ])
  return `# Commands

Generated from \`scripts/commands/\` by \`npm run docs\`. Do not edit.

\`./lab COMMAND --help\` prints the same. With \`--json\`, a command prints only its result, as JSON.

| exit code | meaning |
| --- | --- |
| 0 | success |
| 1 | a problem of the machine or the lab, or a check that fails |
| 2 | wrong usage |

Every command accepts these options:

${optionTable(program.options)}

${table(['command', 'what it does'], rows)}

${commands.map(commandSection).join('\n\n')}
`
}

const withSubcommands = (command: Command): Command[] => [command, ...command.commands.flatMap(withSubcommands)]

/** Returns the name without the program's, as in `policy lint`. */
const nameOf = (command: Command): string =>
  command.parent?.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name()

function commandSection(command: Command): string {
  const { options, registeredArguments: args } = command
  const aliases = command.aliases().map(alias => `\`${alias}\``)
  return [
    `## ${nameOf(command)}`,
    `${escapeMarkdown(command.description()).replace(/\.?$/, '.')}${aliases.length > 0 ? ` Alias: ${aliases.join(', ')}.` : ''}`,
    codeBlock('text', `./lab ${nameOf(command)} ${command.usage()}`),
    ...(args.length > 0 ? [table(['argument', 'meaning'], args.map(argumentRow))] : []),
    ...(options.length > 0 ? [optionTable(options)] : []),
    ...textAfterHelp(command),
  ].join('\n\n')
}

function argumentRow(argument: Argument): string[] {
  const { description, defaultValue, required, variadic } = argument
  const name = argument.name() + (variadic ? '...' : '')
  return [`\`${required ? `<${name}>` : `[${name}]`}\``, escapeMarkdown(description) + defaultText(defaultValue)]
}

const optionTable = (options: readonly Option[]): string =>
  table(
    ['option', 'meaning'],
    options.map(({ flags, description, defaultValue }) => [
      `\`${flags}\``,
      escapeMarkdown(description) + defaultText(defaultValue),
    ]),
  )

const defaultText = (value: unknown): string => (value === undefined ? '' : ` (default: \`${value}\`)`)

/** Returns the notes and the examples at the end of the help. */
function textAfterHelp(command: Command): string[] {
  let help = ''
  command.configureOutput({ writeOut: text => (help += text) }).outputHelp()
  const text = help.replace(command.helpInformation(), '')
  const [notes = '', title, examples = ''] = text.split(/^(Examples?:)$/m)
  return [
    ...(notes.trim() ? [codeBlock('text', withoutBlankEnds(notes))] : []),
    ...(title ? [title, codeBlock('bash', withoutBlankEnds(examples).replaceAll(/^ {2}/gm, ''))] : []),
  ]
}

const withoutBlankEnds = (text: string): string => text.replace(/^\s*\n/, '').trimEnd()
