import { isMapping, type Path } from '../../../shared/validation/yaml-source.ts'

// Placeholders that a tool such as envsubst or Helm must fill in before a policy can be used.

type PlaceholderSyntax = 'shell' | 'template' | 'angle'

const syntaxes: [syntax: PlaceholderSyntax, pattern: RegExp][] = [
  ['shell', /\$\{[^}]*\}|^\$[A-Z][A-Z0-9_]*$/],
  ['template', /\{\{.*?\}\}|\{%.*?%\}|<%.*?%>/],
  // Not <stdin> and the like, which programs pass as they are.
  ['angle', /^<([A-Z][A-Z0-9_ -]+|[Yy]our[^<>]+)>$/],
]

/** Returns the syntax of the placeholder in a value; undefined if the value has none. */
export const placeholderSyntax = (value: string): PlaceholderSyntax | undefined =>
  syntaxes.find(([, pattern]) => pattern.test(value))?.[0]

/**
 * Returns the line, from 1, of the first template instruction outside comments.
 * @param isYaml Whether the text can be read as YAML. Instructions in quotes are then values.
 */
export function templateLine(text: string, isYaml: boolean): number | undefined {
  const instruction = isYaml ? /^[^#"']*(\{\{|\{%|<%)/ : /^[^#]*(\{\{|\{%|<%)/
  const index = text.split('\n').findIndex(line => instruction.test(line))
  return index < 0 ? undefined : index + 1
}

/** Returns the strings in a value that have a placeholder, except in free text such as messages. */
export function placeholdersIn(value: unknown, path: Path = []): { path: Path; value: string }[] {
  if (typeof value === 'string') return placeholderSyntax(value) ? [{ path, value }] : []
  if (Array.isArray(value)) return value.flatMap((item, index) => placeholdersIn(item, [...path, index]))
  if (!isMapping(value)) return []
  return Object.entries(value)
    .filter(([key]) => !['annotations', 'labels', 'message'].includes(key))
    .flatMap(([key, child]) => placeholdersIn(child, [...path, key]))
}
