import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type YAMLParseError,
} from 'yaml'
import { resolvePlainScalars } from './kubernetes-yaml.ts'

/** Steps from the top of a document to a value, as in ['spec', 'kprobes', 0, 'call']. */
export type Path = readonly (string | number)[]

/** A YAML document with the line of every value. */
export interface SourceDocument {
  /** The parsed value; undefined if the text is not YAML. */
  value: unknown
  /** YAML errors. */
  errors: { line: number; message: string }[]
  /** Returns the line, from 1, of the key or item at a path, or of its nearest existing parent. */
  line(path: Path): number
}

/** Tells whether a parsed value is a YAML mapping (a JSON object). */
export const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * How plain values are read: `1.2` as in the current YAML standard, `kubernetes` as kubectl and Tetragon read them, with
 * merge keys and yes and no from YAML 1.1.
 */
export type YamlDialect = '1.2' | 'kubernetes'

/** Parses one or more YAML documents, without empty ones. It never throws. */
export function readSource(text: string, dialect: YamlDialect = '1.2'): SourceDocument[] {
  const counter = new LineCounter()
  const options = {
    lineCounter: counter,
    prettyErrors: false,
    logLevel: 'error',
    // Tags such as !!set would produce values other than plain data.
    resolveKnownTags: false,
    merge: dialect === 'kubernetes',
  } as const
  let documents: Document[]
  try {
    documents = [...parseAllDocuments(text, options)]
    if (dialect === 'kubernetes') documents.forEach(resolvePlainScalars)
  } catch (error) {
    // Thousands of nested brackets overflow the stack.
    return [{ value: undefined, errors: [{ line: 1, message: (error as Error).message }], line: () => 1 }]
  }
  return documents
    .map(document => toSource(document, counter, text))
    .filter(document => document.errors.length > 0 || (document.value !== null && document.value !== undefined))
}

/**
 * Parses a text that must have one document; the value is null if it is empty.
 * A second document is an error.
 */
export function readSingle(text: string): SourceDocument {
  const [first, second] = readSource(text)
  if (first && second && first.errors.length === 0)
    return {
      ...first,
      value: undefined,
      errors: [{ line: second.line([]), message: 'a second document starts after ---' }],
    }
  return first ?? { value: null, errors: [], line: () => 1 }
}

/** Plain-English versions of the parser's messages. */
const plainMessages: Record<string, string> = {
  TAB_AS_INDENT: 'a tab is used for indentation, where YAML requires spaces',
  BLOCK_AS_IMPLICIT_KEY: 'a second colon: put text that contains ": " in quotes',
  BAD_INDENT: 'the indentation does not match the lines around it',
  MULTILINE_IMPLICIT_KEY: 'a line without a colon, or text that continues where a key should start',
}

function toSource(document: Document, counter: LineCounter, text: string): SourceDocument {
  const lineAt = (offset: number): number => counter.linePos(offset).line || 1
  const errors = rootErrors(document).map(({ code, message, pos }) => ({
    line: lineAt(pos[0]),
    message:
      code === 'DUPLICATE_KEY'
        ? `the key ${/[^:\s]*/.exec(text.slice(pos[0]))![0]} appears twice`
        : (plainMessages[code] ?? message),
  }))
  let value: unknown
  if (errors.length === 0)
    try {
      value = document.toJS()
      // Fails for an alias inside the value that it refers to, which has no end.
      JSON.stringify(value)
    } catch (error) {
      value = undefined
      errors.push({ line: lineAt(document.contents?.range?.[0] ?? 0), message: aliasProblem(error as Error) })
    }
  return {
    errors,
    value,
    line(path) {
      let node = document.contents as Node | null
      let offset = node?.range?.[0] ?? 0
      for (const step of path) {
        if (isAlias(node)) node = node.resolve(document) ?? null
        if (isMap(node)) {
          const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
          if (!pair) break
          offset = (pair.key as Node).range?.[0] ?? offset
          node = pair.value as Node | null
        } else if (isSeq(node)) {
          node = node.items[step as number] as Node | null
          if (!node) break
          offset = node.range?.[0] ?? offset
        } else break
      }
      return lineAt(offset)
    },
  }
}

/** Drops errors that follow from another: the parser misreads everything after the first, and reports a tab late. */
function rootErrors({ errors }: Document): YAMLParseError[] {
  const tab = errors.find(({ code }) => code === 'TAB_AS_INDENT')
  if (tab) return [tab]
  return errors.every(({ code }) => code === 'DUPLICATE_KEY') ? errors : errors.slice(0, 1)
}

const aliasProblem = ({ message }: Error): string =>
  /circular/i.test(message) ? 'an alias (*) is inside the value that it refers to' : message
