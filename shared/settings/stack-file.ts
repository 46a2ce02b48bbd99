import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { LabError } from '../lab-error.ts'
import { stackName } from '../names.ts'
import { projectDir } from '../paths.ts'
import { brief, nearest } from '../validation/schema-errors.ts'
import { readSingle } from '../validation/yaml-source.ts'
import { configNamespace, parseSettings, type Settings } from './schema.ts'

/** Where the stack's settings stand. */
const settingsFile = (): string => join(projectDir, `Pulumi.${stackName}.yaml`)

/** What Pulumi keeps in that file beside the settings. */
const pulumisOwn = ['encryptionsalt', 'secretsprovider', 'encryptedkey', 'environment']

/**
 * Sections of the stack's settings as its file has them, unchecked.
 * @throws LabError for a file that is not YAML, or holds settings where Pulumi does not look for them.
 */
export function readSections(file = settingsFile()): Record<string, unknown> {
  if (!existsSync(file)) return {}
  const name = basename(file)
  const document = readSingle(readFileSync(file, 'utf8'))
  const wrong = (found: string, expected = '`config:` with settings below it (docs/settings.md)'): LabError =>
    new LabError({ found, expected, next: `mend ${name}, or go back to the defaults: git checkout ${name}` })
  const [broken] = document.errors
  if (broken) throw wrong(`${name}, line ${broken.line}: ${broken.message}`)
  const whole = document.value ?? {}
  if (!isMap(whole)) throw wrong(`${name} is ${brief(whole)}`)
  const stray = Object.keys(whole).find(key => key !== 'config' && !pulumisOwn.includes(key))
  if (stray !== undefined)
    throw wrong(
      `${name}, line ${document.line([stray])}: ${stray} at the top`,
      nearest(stray, ['config']) ?? 'settings below `config:`, two spaces further in (docs/settings.md)',
    )
  const config = whole.config ?? {}
  if (!isMap(config)) throw wrong(`${name}, line ${document.line(['config'])}: config is ${brief(config)}`)
  const prefix = `${configNamespace}:`
  const named = Object.entries(config).filter(([key]) => key.startsWith(prefix))
  // Pulumi takes a key without a namespace for one of the project; the full name wins.
  const bare = Object.entries(config).filter(([key]) => !key.includes(':'))
  return Object.fromEntries([...bare, ...named.map(([key, value]) => [key.slice(prefix.length), value])])
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Settings as the program gets them from Pulumi, without starting it.
 * @throws LabError for a file that is not YAML, and for a wrong setting.
 */
export const readSettings = (): Settings => parseSettings(readSections())

/** Which cluster is meant, as it is written: also where other settings are wrong. */
export function readTarget(file = settingsFile()): Pick<Settings['cluster'], 'mode' | 'context'> {
  try {
    const { cluster } = readSections(file)
    if (isMap(cluster) && cluster.mode === 'existing' && typeof cluster.context === 'string')
      return { mode: 'existing', context: cluster.context }
  } catch (error) {
    if (!(error instanceof LabError)) throw error
  }
  return { mode: 'create', context: '' }
}
