import { isMap, isScalar, type Node, parseDocument, stringify, type YAMLMap } from 'yaml'

/** A value to write to a YAML file. */
export interface YamlEdit {
  /** Keys from the top of the file to the value. */
  path: readonly string[]
  value: string | number | readonly string[]
  /** The key after which a missing one is added; default: the last of its mapping. */
  after?: string
}

interface Splice {
  from: number
  to: number
  text: string
}

/**
 * Returns a YAML text with some values replaced or added. Everything else stays as it is: comments, line breaks, order.
 * @throws when the mapping that should have a value does not exist.
 */
export function editYaml(text: string, edits: readonly YamlEdit[]): string {
  const document = parseDocument(text)
  const splices = edits.map((edit): Splice => {
    const { path, value } = edit
    const node = document.getIn(path, true) as Node | undefined
    if (node?.range) return { from: node.range[0], to: node.range[1], text: inline(value) }
    const parent = document.getIn(path.slice(0, -1), true)
    if (!isMap(parent) || parent.items.length === 0)
      throw new Error(`There is nothing at ${path.slice(0, -1).join('.')}`)
    return addition(text, parent, edit)
  })
  return splices
    .toSorted((one, other) => other.from - one.from)
    .reduce((result, { from, to, text }) => result.slice(0, from) + text + result.slice(to), text)
}

function addition(text: string, parent: YAMLMap, { path, value, after }: YamlEdit): Splice {
  const pair = parent.items.find(({ key }) => isScalar(key) && key.value === after) ?? parent.items.at(-1)!
  const end = (pair.value as Node).range![1]
  const entry = `${path.at(-1)}: ${inline(value)}`
  if (parent.flow) return { from: end, to: end, text: `, ${entry}` }
  const start = (pair.key as Node).range![0]
  const indent = ' '.repeat(start - text.lastIndexOf('\n', start - 1) - 1)
  const lineEnd = text.indexOf('\n', end)
  const at = lineEnd < 0 ? text.length : lineEnd
  return { from: at, to: at, text: `\n${indent}${entry}` }
}

/** Returns a value as YAML in one line. */
const inline = (value: YamlEdit['value']): string =>
  typeof value === 'object' ? `[${value.map(scalar).join(', ')}]` : scalar(value)

/** Writes quotes where YAML would otherwise read another kind of value, or the end of it in a mapping in one line. */
const scalar = (value: string | number): string =>
  typeof value === 'string' && /[{}[\],]/.test(value)
    ? `'${value.replaceAll("'", "''")}'`
    : stringify(value, { lineWidth: 0 }).trim()
