import { join } from 'node:path'
import type { Argument, Command, Option } from 'commander'
import { projectDir } from '../../shared/paths.ts'
import { configNamespace } from '../../shared/settings/config-commands.ts'
import { type SettingRow, settingRows } from '../../shared/settings/setting-rows.ts'
import { valuesOf } from '../terminal/lab-command.ts'

// What the shells complete: a table of every command, option, argument and value. `npm run docs` writes it to a file,
// from which the launcher answers without starting Node (complete.sh). A key press must not wait for Node, and it must
// never download anything. Policies and exercises are not in the table, because users add their own.

/** Path of the table. */
export const commandTableFile = join(projectDir, 'scripts', 'completion', 'commands.tsv')

/**
 * What an argument or option takes, by its name in the help. `file` and `folder` are completed by the shell, `policy`
 * and `exercise` from the folders of the checkout.
 */
const kinds: Record<string, string> = {
  file: 'file',
  files: 'file',
  folder: 'folder',
  policy: 'policy',
  policies: 'policy',
  exercise: 'exercise',
  exercises: 'exercise',
  'setting=value': 'assignment',
}

/** The kind of an argument that takes any text. */
const anyText = '-'

/** A line of the table: the kind of line, the command, and columns that depend on the kind. */
type Row = [line: 'command' | 'alias' | 'option' | 'argument' | 'value', key: string, ...columns: string[]]

/** Returns the table of a program as tab-separated lines; see complete.awk. */
export function commandTable(program: Command): string {
  const rows = [...rowsOf(program, ''), ...pulumiRows, ...settingRows().flatMap(rowsOfSetting)]
  return `${distinct(rows.map(row => row.map(oneLine).join('\t'))).join('\n')}\n`
}

function rowsOf(command: Command, path: string): Row[] {
  const pathOf = (name: string): string => `${path} ${name}`.trim()
  return [
    ...command.commands.flatMap((child): Row[] => [
      ['command', path, child.name(), summary(child.description())],
      ...child.aliases().map((alias): Row => ['alias', path, alias, child.name()]),
    ]),
    ...command.options.flatMap(option => rowsOfOption(option, path)),
    ['option', path, '--help', '', 'Show the help'],
    ...command.registeredArguments.flatMap((argument, index) => rowsOfArgument(argument, index, path)),
    ...command.commands.flatMap(child => rowsOf(child, pathOf(child.name()))),
  ]
}

/** An option without a value has no kind. A short name has no description, and is not offered. */
function rowsOfOption(option: Option, path: string): Row[] {
  const { long, short, flags, description } = option
  const value = /[<[](.+)[>\]]/.exec(flags)?.[1]
  const kind = value === undefined ? '' : kindOf(option, value)
  return [
    ['option', path, long!, kind, summary(description)],
    ...(short ? [['option', path, short, kind, ''] as Row] : []),
    ...valueRows(option, kind),
  ]
}

function rowsOfArgument(argument: Argument, index: number, path: string): Row[] {
  const kind = kindOf(argument, argument.name())
  return [['argument', path, String(index + 1) + (argument.variadic ? '...' : ''), kind], ...valueRows(argument, kind)]
}

const kindOf = (input: Argument | Option, name: string): string => (valuesOf(input) ? name : (kinds[name] ?? anyText))

const valueRows = (input: Argument | Option, kind: string): Row[] =>
  (valuesOf(input) ?? []).map(value => ['value', kind, value, ''])

/** The lab's settings are changed with Pulumi's own command. The rest of Pulumi is not completed. */
const pulumiRows: Row[] = [
  ['command', 'pulumi', 'config', "Show or change the lab's settings"],
  ...Object.entries({ set: 'Change a setting', get: 'Show a setting', rm: 'Reset a setting' }).flatMap(
    ([name, description]): Row[] => [
      ['command', 'pulumi config', name, description],
      ['option', `pulumi config ${name}`, '--path', '', 'The setting is a path, as all of the lab'],
      ['argument', `pulumi config ${name}`, '1', 'setting'],
    ],
  ),
  ['argument', 'pulumi config set', '2', 'value'],
]

/** A setting, and its values under its own name. */
function rowsOfSetting({ path, description, allowed, values }: SettingRow): Row[] {
  const setting = `${configNamespace}:${path}`
  const all = values ?? (allowed === 'true or false' ? ['true', 'false'] : [])
  return [
    ['value', 'setting', setting, summary(description)],
    ...all.map((value): Row => ['value', setting, value, '']),
  ]
}

/** Returns the first sentence of a description, short enough for a line in a list of candidates. */
function summary(description: string): string {
  const sentence = description.replaceAll('`', '').split(/[.;](?:\s|$)/)[0]!
  return sentence.length > 70 ? `${sentence.slice(0, 69)}…` : sentence
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ')

const distinct = (lines: string[]): string[] => [...new Set(lines)]
