import { shellQuote } from '../shell-quote.ts'
import type { Path } from '../validation/yaml-source.ts'

/** Namespace of the lab's keys in a Pulumi stack's configuration: the name of the project. */
export const configNamespace = 'tetragon-lab'

/** Returns the command that sets one setting. */
export const setCommand = (path: string, value: unknown): string =>
  `./lab pulumi config set --path ${configNamespace}:${path} ${typeof value === 'object' ? `'${JSON.stringify(value)}'` : value}`

/** Returns the command that removes a setting, so that its default applies. */
export const removeCommand = (path: Path): string => {
  // Pulumi's own syntax: a key that is not a plain word goes in brackets.
  const text = path.map((key, index) => (/^[\w-]+$/.test(String(key)) ? `${index > 0 ? '.' : ''}${key}` : `["${key}"]`))
  return `./lab pulumi config rm --path ${shellQuote(`${configNamespace}:${text.join('')}`)}`
}
