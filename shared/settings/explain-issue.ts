import type { z } from 'zod'
import { LabError } from '../lab-error.ts'
import { shellQuote } from '../shell-quote.ts'
import { settingsFileName } from '../stack.ts'
import { at, brief, dotted, nearest } from '../validation/schema-errors.ts'
import type { Path } from '../validation/yaml-source.ts'
import { removeCommand, setCommand } from './config-commands.ts'
import { type SettingRow, settingRows } from './setting-rows.ts'

/** Explains a zod issue about the given settings, with the command that corrects it. */
export function explainIssue(issue: z.core.$ZodIssue, given: unknown): LabError {
  const path = issue.path as Path
  if (issue.code === 'unrecognized_keys') return unknownSetting([...path, issue.keys[0]!], given)
  const name = dotted(path)
  const value = at(given, path)
  const found = `${name || 'The configuration'} is ${describeValue(name, value)}`
  // A wrong entry of a list, or of texts by name, is corrected in the setting as a whole.
  const row = settingRows().find(
    ({ path: known, isMap }) => `${name}[`.startsWith(`${known}[`) || (isMap && name.startsWith(`${known}.`)),
  )
  if (!row)
    return new LabError({
      found,
      expected: `settings below it: ${namesBelow(path).join(', ')}`,
      next: path.length > 0 ? removeCommand(path) : `correct ${settingsFileName()} (docs/reference/settings.md)`,
    })
  if (row.path !== name)
    return new LabError({ found, expected: row.entries ?? row.allowed, next: removeCommand(row.path.split('.')) })
  // Without quotes, YAML and Pulumi read a password of digits as a number.
  const expected = row.allowed === 'text' && typeof value === 'number' ? 'text, in quotes' : row.allowed
  return new LabError({ found, expected, next: correctingCommand(row, value) })
}

/** Describes a value without revealing a password or an encrypted value. */
function describeValue(name: string, value: unknown): string {
  if (typeof value === 'object' && value !== null && 'secure' in value) return 'encrypted (config set --secret)'
  if (name === 'grafana.password')
    return Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`
  return brief(value)
}

/** Returns the command that sets what the user probably meant, else the default. */
function correctingCommand({ path, allowed, values, default: standard }: SettingRow, given: unknown): string {
  if (typeof given === 'string') {
    const word = values && nearest(given, values)
    if (word) return setCommand(path, word)
    if (allowed === 'a list' && /^[\w-]+$/.test(given)) return setCommand(path, [given])
  }
  if (allowed === 'text' && typeof given === 'number')
    return `${setCommand(path, path === 'grafana.password' ? '…' : given)} --type string`
  // An empty value or a leading minus sign would be parsed as a flag.
  const safe = typeof standard === 'object' || /^\w[\w.:/-]*$/.test(String(standard))
  return safe ? setCommand(path, standard) : removeCommand(path.split('.'))
}

function unknownSetting(path: Path, given: unknown): LabError {
  const near = nearestSetting(path)
  const remove = removeCommand(path)
  const value = at(given, path)
  const canMove = near !== undefined && settingPaths().includes(near) && typeof value !== 'object' && value !== ''
  return new LabError({
    found: `${dotted(path)} is not a setting`,
    expected: near ? `${near} (the nearest name)` : 'a setting of docs/reference/settings.md',
    next: canMove ? `${remove} && ${setCommand(near, shellQuote(String(value)))}` : remove,
  })
}

/** Returns the setting that was probably meant: one beside it, else one of the same name in another section. */
function nearestSetting(path: Path): string | undefined {
  const last = String(path.at(-1))
  const section = path.slice(0, -1)
  const sibling = nearest(last, namesBelow(section))
  return sibling ? [...section, sibling].join('.') : settingPaths().find(known => known.split('.').at(-1) === last)
}

/** Returns the names of the settings and sections directly below a path. */
const namesBelow = (path: Path): string[] => [
  ...new Set(
    settingPaths()
      .map(known => known.split('.'))
      .filter(known => known.length > path.length && path.every((key, index) => known[index] === key))
      .map(known => known[path.length]!),
  ),
]

const settingPaths = (): string[] => settingRows().map(row => row.path)
