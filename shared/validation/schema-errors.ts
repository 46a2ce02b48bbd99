import leven from 'leven'
import type { z } from 'zod'
import type { Path } from './yaml-source.ts'

// Explains zod issues to the person who wrote the value.

/** A wrong value and what is allowed, each in one line. */
export interface SchemaError {
  path: Path
  /** As in `charts.loki.version is 1.1`. */
  found: string
  /** As in `text, in quotes`; undefined where `found` says enough. */
  expected?: string
}

/** The part of JSON Schema that describes keys. */
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
 * Explains the most helpful issue that zod reports.
 * @param schema the same schema as JSON Schema, to suggest the nearest key.
 */
export function explainSchemaError(error: z.ZodError, value: unknown, schema: JsonSchema): SchemaError {
  const issue = mostHelpful(error.issues.map(deepest))
  const path = issue.path as Path
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0]!
    const keys = keysAt(schema, path)
    const near = nearest(key, keys)
    return {
      path: [...path, key],
      found: `${dotted([...path, key])} is not a known key`,
      expected: near ? `${near} (the nearest name)` : `one of ${keys.join(', ')}`,
    }
  }
  const where = dotted(path)
  if (issue.code === 'custom') return { path, found: where ? `${where}: ${issue.message}` : issue.message }
  const given = at(value, path)
  const state = given === undefined ? 'is missing' : `is ${brief(given)}`
  const found = where
    ? `${where} ${state}`
    : `the file is ${given === null ? 'empty' : Array.isArray(given) ? 'a list' : `a ${typeof given}`}`
  return { path, found, expected: expectation(issue, given) }
}

/** Returns a path as a person writes it, as in `tasks[0].check`. */
export const dotted = (path: Path): string => path.join('.').replaceAll(/\.(\d+)(?=\.|$)/g, '[$1]')

/** Returns a value as JSON on one line, shortened if it is long. */
export function brief(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 60 ? `${text.slice(0, 57)}...` : text
}

/** Returns the known word that was probably meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const longer = word.length > 2 ? known.filter(candidate => candidate.startsWith(word)) : []
  if (longer.length === 1) return longer[0]
  const [best] = known
    .map(candidate => ({ candidate, distance: leven(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  return best && best.distance <= Math.max(2, word.length / 3) ? best.candidate : undefined
}

/** Returns the value at a path, undefined where there is none. */
export const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((holder, key) => (holder as Record<string, unknown> | null | undefined)?.[key], value)

/** Prefers a misspelt key to the missing key that it causes. */
const mostHelpful = (issues: z.core.$ZodIssue[]): z.core.$ZodIssue =>
  issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]!

/** For a union, returns the issue of the alternative that fits best. */
function deepest(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue
  const depth = ({ code, path }: z.core.$ZodIssue): number => path.length + (code === 'unrecognized_keys' ? 1 : 0)
  const all = issue.errors.flat().map(deepest)
  const most = Math.max(0, ...all.map(depth))
  if (most === 0) return issue
  const inner = mostHelpful(all.filter(one => depth(one) === most))
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
      const type = types[issue.expected] ?? issue.expected
      // Without quotes, YAML reads a version such as 1.10 as a number.
      return type === 'text' && (typeof given === 'number' || typeof given === 'boolean') ? 'text, in quotes' : type
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
  return near ? `${near} (the nearest of ${words.join(', ')})` : `one of ${words.join(', ')}`
}

const unionWords = (issue: z.core.$ZodIssueInvalidUnion): string =>
  [...new Set(issue.errors.flat().map(inner => expectation(deepest(inner), undefined)))].join(', or ')

/** Returns the keys that the schema allows at a path. */
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
