import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectDir } from '../paths.ts'
import { shellQuote } from '../shell-quote.ts'
import type { Path } from '../validation/yaml-source.ts'

/**
 * Namespace of the lab's keys in a Pulumi stack's configuration: the name of the project, which `pulumi new` lets the
 * user choose.
 */
export const configNamespace = projectName(readFileSync(join(projectDir, 'Pulumi.yaml'), 'utf8'))

/** Returns the name in a Pulumi.yaml. */
export function projectName(yaml: string): string {
  return /^name: *(['"]?)([\w.-]+)\1 *$/m.exec(yaml)![2]!
}

/** Returns the command that sets one setting. */
export const setCommand = (path: string, value: unknown): string =>
  `./lab pulumi config set --path ${configNamespace}:${path} ${typeof value === 'object' ? `'${JSON.stringify(value)}'` : value}`

/** Returns the command that removes a setting, so that its default applies. */
export const removeCommand = (path: Path): string => {
  // Pulumi's own syntax: a key that is not a plain word goes in brackets.
  const text = path.map((key, index) => (/^[\w-]+$/.test(String(key)) ? `${index > 0 ? '.' : ''}${key}` : `["${key}"]`))
  return `./lab pulumi config rm --path ${shellQuote(`${configNamespace}:${text.join('')}`)}`
}
