import leven from 'leven'
import type { z } from 'zod'
import type { Path } from './yaml-source.ts'

// What a zod schema has against a value, in words for the person who wrote that value.

/** What is wrong, and what would be right. Each is one line. */
export interface SchemaError {
  path: Path
  /** As in `charts.loki.version is 1.1`. */
  found: string
  /** As in `text, in quotes`; undefined where what was found says it all. */
  expected?: string
}

/** The parts of a JSON Schema that say which keys there are. */
export interface JsonSchema {
  $ref?: string
  $defs?: Record<string, JsonSchema>
  properties?: Record<string, JsonSchema>
  additionalProperties?: JsonSchema | boolean
  propertyNames?: { enum?: string[] }
  items?: JsonSchema
  anyOf?: JsonSchema[]
}

/**
 * The first thing that a schema has against a value.
 * @param known the same schema as JSON Schema: which keys there are, to name the nearest.
 */
export function explainSchemaError(error: z.ZodError, value: unknown, known: JsonSchema): SchemaError {
  const issue = telling(error.issues.map(deepest))
  const path = issue.path as Path
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!
    const keys = keysAt(known, path)
    const near = nearest(key, keys)
    return {
      path: [...path, key],
      found: `unknown key ${dotted([...path, key])}`,
      expected: near ? `a known key; the nearest is ${near}` : `one of ${keys.join(', ')}`,
    }
  }
  const where = dotted(path)
  if (issue.code === 'custom') return { path, found: where ? `${where}: ${issue.message}` : issue.message }
  const given = at(value, path)
  const is = given === undefined ? 'is missing' : `is ${brief(given)}`
  const found = where
    ? `${where} ${is}`
    : `it is ${given === null ? 'empty' : Array.isArray(given) ? 'a list' : `a ${typeof given}`}`
  return { path, found, expected: expectation(issue, given) }
}

/** `tasks[0].check`, as a person would write it. */
export const dotted = (path: Path): string => path.join('.').replaceAll(/\.(\d+)(?=\.|$)/g, '[$1]')

/** A value in a line: as JSON, cut where it is long. */
export function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** Of known words the one that was probably meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const longer = word.length > 2 ? known.filter(candidate => candidate.startsWith(word)) : []
  if (longer.length === 1) return longer[0]
  const [best] = known
    .map(candidate => ({ candidate, distance: leven(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  return best && best.distance <= Math.max(2, word.length / 3) ? best.candidate : undefined
}

/** The value at a path, undefined where there is none. */
export const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((holder, key) => (holder as Record<string, unknown> | null | undefined)?.[key], value)

/** Of all that is wrong, what says most: a misspelt key tells more than that the right one is missing. */
const telling = (issues: z.core.$ZodIssue[]): z.core.$ZodIssue =>
  issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!

/** Of a choice that nothing fits, what was wrong with the alternative that came nearest. */
function deepest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue
  const depth = ({ code, path }: z.core.$ZodIssue): number => path.length + (code === 'unrecognized_keys' ? 1 : 0)
  const all = issue.errors.flat().map(deepest)
  const most = Math.max(0, ...all.map(depth))
  if (most === 0) return issue
  const inner = telling(all.filter(one => depth(one) === most))
  return { ...inner, path: [...issue.path, ...inner.path] }
}

const types: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys with values below it',
  record: 'keys with values below it',
}

function expectation(issue: z.core.$ZodIssue, given: unknown): string {
  switch (issue.code) {
    case 'invalid_type': {
      const wanted = types[issue.expected] ?? issue.expected
      // Unquoted, YAML takes a version such as 1.10 for a number.
      return wanted === 'text' && (typeof given === 'number' || typeof given === 'boolean') ? 'text, in quotes' : wanted
    }
    case 'invalid_value':
      return issue.values.length === 1 ? String(issue.values[0]) : choice(issue.values.map(String), given)
    case 'invalid_union':
      return unionWords(issue)
    case 'too_small':
      if (issue.origin === 'string') return 'text that is not empty'
      return issue.origin === 'array' ? 'a list that is not empty' : `at least ${issue.minimum}`
    case 'too_big':
      return `at most ${issue.maximum}`
    default:
      return issue.message
  }
}

function choice(words: string[], given: unknown): string {
  const near = typeof given === 'string' ? nearest(given, words) : undefined
  return `one of ${words.join(', ')}${near ? `; the nearest is ${near}` : ''}`
}

const unionWords = (issue: z.core.$ZodIssueInvalidUnion): string =>
  [...new Set(issue.errors.flat().map(inner => expectation(deepest(inner), undefined)))].join(', or ')

/** Names of the keys that may stand at a path. */
function keysAt(schema: JsonSchema, path: Path): string[] {
  let here = resolve(schema, schema)
  for (const step of path) {
    const next =
      typeof step === 'number'
        ? alternatives(schema, here).find(({ items }) => items)?.items
        : alternatives(schema, here)
            .map(({ properties, additionalProperties }) => properties?.[step] ?? additionalProperties)
            .find(found => typeof found === 'object')
    if (typeof next !== 'object') return []
    here = resolve(schema, next)
  }
  return alternatives(schema, here).flatMap(({ properties, propertyNames }) =>
    properties ? Object.keys(properties) : (propertyNames?.enum ?? []),
  )
}

const alternatives = (whole: JsonSchema, schema: JsonSchema): JsonSchema[] =>
  schema.anyOf ? schema.anyOf.map(one => resolve(whole, one)) : [schema]

function resolve(whole: JsonSchema, schema: JsonSchema): JsonSchema {
  if (!schema.$ref) return schema
  const name = schema.$ref.split('/').at(-1)!
  return name === '#' ? whole : (whole.$defs?.[name] ?? {})
}
