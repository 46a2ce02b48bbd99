import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { LabError } from '../stacks/error.ts'
import { projectDir } from '../stacks/paths.ts'
import { configNamespace, parseSettings, type Settings } from '../stacks/settings.ts'
import { stackName } from './environment.ts'

/**
 * Sections of the stack's settings as its file has them, unchecked.
 * @throws LabError for a file that is not YAML.
 */
export function readSections(): Record<string, unknown> {
  const file = join(projectDir, `Pulumi.${stackName}.yaml`)
  if (!existsSync(file)) return {}
  let config: Record<string, unknown>
  try {
    config = (parse(readFileSync(file, 'utf8')) as { config?: Record<string, unknown> } | null)?.config ?? {}
  } catch (cause) {
    throw new LabError({
      found: `Pulumi.${stackName}.yaml is not YAML`,
      expected: '`config:` with settings below it (docs/settings.md)',
      next: `mend Pulumi.${stackName}.yaml`,
      cause,
    })
  }
  const prefix = `${configNamespace}:`
  return Object.fromEntries(
    Object.entries(config)
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, value]) => [key.slice(prefix.length), value]),
  )
}

/**
 * Settings as the program gets them from Pulumi, without starting it.
 * @throws LabError for a file that is not YAML, and for a wrong setting.
 */
export const readSettings = (): Settings => parseSettings(readSections())
