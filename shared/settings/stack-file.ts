import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { LabError } from '../lab-error.ts'
import { projectDir } from '../paths.ts'
import { settingsFileName } from '../stack.ts'
import { brief, nearest } from '../validation/schema-errors.ts'
import { isMapping, readSingle } from '../validation/yaml-source.ts'
import { configNamespace } from './config-commands.ts'
import { parseSettings } from './parser.ts'
import { type Settings, settingsSchema } from './schema.ts'

const settingsFile = (): string => join(projectDir, settingsFileName())

/** Keys that Pulumi itself writes beside the settings. */
const pulumiKeys = ['encryptionsalt', 'secretsprovider', 'encryptedkey', 'environment']

/**
 * Reads the sections of the stack's settings from its settings file, without checking them.
 * @throws LabError for a file that is not YAML, or that has settings where Pulumi does not read them.
 */
export function readStackConfig(file = settingsFile()): Record<string, unknown> {
  if (!existsSync(file)) return {}
  const name = basename(file)
  const document = readSingle(readFileSync(file, 'utf8'))
  const invalid = (found: string, expected?: string): LabError =>
    new LabError({ found, expected, next: `correct ${name}, or restore the defaults: git checkout ${name}` })
  const [problem] = document.errors
  if (problem) throw invalid(`${name}, line ${problem.line}: ${problem.message}`)
  const whole = document.value ?? {}
  if (!isMapping(whole)) throw invalid(`${name} is ${brief(whole)}`, configShape)
  const stray = Object.keys(whole).find(key => key !== 'config' && !pulumiKeys.includes(key))
  if (stray !== undefined)
    throw invalid(
      `${name}, line ${document.line([stray])}: ${stray} is not a key of this file`,
      nearest(stray, ['config']) ?? 'settings indented below `config:`',
    )
  const config = whole.config ?? {}
  if (!isMapping(config))
    throw invalid(`${name}, line ${document.line(['config'])}: config is ${brief(config)}`, configShape)
  const prefix = `${configNamespace}:`
  const named = Object.entries(config).filter(([key]) => key.startsWith(prefix))
  // Pulumi reads a key without a namespace as one of the project; the full name wins.
  const bare = Object.entries(config).filter(([key]) => !key.includes(':'))
  return Object.fromEntries([...bare, ...named.map(([key, value]) => [key.slice(prefix.length), value])])
}

const configShape = '`config:` with settings below it (docs/reference/settings.md)'

/**
 * Reads the settings as the program gets them from Pulumi, without starting Pulumi.
 * @throws LabError for a file that is not YAML, and for a wrong setting.
 */
export const readSettings = (): Settings => parseSettings(readStackConfig())

/**
 * Reads which cluster the settings name. Works even if other settings are wrong, so that `lab pulumi` can correct them.
 */
export function readClusterTarget(file = settingsFile()): Pick<Settings['cluster'], 'mode' | 'name' | 'context'> {
  const text = (value: unknown, standard: string): string => (typeof value === 'string' ? value : standard)
  let cluster: unknown
  try {
    cluster = readStackConfig(file).cluster
  } catch (error) {
    if (!(error instanceof LabError)) throw error
  }
  const { mode, name, context } = isMapping(cluster) ? cluster : {}
  return {
    mode: mode === 'existing' ? 'existing' : 'create',
    name: text(name, settingsSchema.parse({}).cluster.name),
    context: text(context, ''),
  }
}
