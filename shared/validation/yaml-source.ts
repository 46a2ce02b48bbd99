import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type YAMLParseError,
} from 'yaml'

/** Steps from the top of a document to a value, as in ['spec', 'kprobes', 0, 'call']. */
export type Path = readonly (string | number)[]

/** One YAML document that still knows on which line everything stands. */
export interface SourceDocument {
  /** Plain data; undefined where the text is not YAML. */
  value: unknown
  /** What is wrong with it as YAML, if anything. */
  errors: { line: number; message: string }[]
  /** Line, from 1, of the key or item at a path, or of the nearest thing above it that is there. */
  line(path: Path): number
}

/** Reads a file of one or more YAML documents; comments and empty documents are left out. Whatever the text is, it does not throw. */
export function readSource(text: string): SourceDocument[] {
  const counter = new LineCounter()
  // Tags beyond JSON's types would make a Set or a Buffer of what is looked at as plain data.
  const options = { lineCounter: counter, prettyErrors: false, logLevel: 'error', resolveKnownTags: false } as const
  let documents: Document[]
  try {
    documents = [...parseAllDocuments(text, options)]
  } catch (error) {
    // Ten thousand brackets in a row are deeper than the stack.
    return [{ value: undefined, errors: [{ line: 1, message: (error as Error).message }], line: () => 1 }]
  }
  return documents
    .map(document => describe(document, counter, text))
    .filter(document => document.errors.length > 0 || (document.value !== null && document.value !== undefined))
}

/**
 * Reads a file that must hold one document: null where it is empty.
 * Where it is not YAML, or holds more, `errors` says so.
 */
export function readSingle(text: string): SourceDocument {
  const [first, second] = readSource(text)
  if (first && second && first.errors.length === 0)
    return {
      ...first,
      value: undefined,
      errors: [{ line: second.line([]), message: 'a second document begins after ---' }],
    }
  return first ?? { value: null, errors: [], line: () => 1 }
}

/** What the parser's words mean to somebody who has not read its specification. */
const plainWords: Record<string, string> = {
  TAB_AS_INDENT: 'a tab, where YAML wants spaces',
  BLOCK_AS_IMPLICIT_KEY: 'a second colon: a text that holds ": " is put in quotes',
  BAD_INDENT: 'it is not indented as the lines around it',
  MULTILINE_IMPLICIT_KEY: 'a line without a colon, or a text that goes on where a key is due',
}

function describe(document: Document, counter: LineCounter, text: string): SourceDocument {
  const lineAt = (offset: number): number => counter.linePos(offset).line || 1
  const errors = tellingErrors(document).map(({ code, message, pos }) => ({
    line: lineAt(pos[0]),
    message:
      code === 'DUPLICATE_KEY'
        ? `the key ${/[^:\s]*/.exec(text.slice(pos[0]))![0]} stands there twice`
        : (plainWords[code] ?? message),
  }))
  let value: unknown
  if (errors.length === 0)
    try {
      value = document.toJS()
      // Only a value without an end has no JSON: an alias inside of what it stands for.
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

/** What is not a consequence of another: after the first mistake the parser takes the rest for something else, and a tab it notices late. */
function tellingErrors({ errors }: Document): YAMLParseError[] {
  const tab = errors.find(({ code }) => code === 'TAB_AS_INDENT')
  if (tab) return [tab]
  return errors.every(({ code }) => code === 'DUPLICATE_KEY') ? errors : errors.slice(0, 1)
}

const aliasProblem = ({ message }: Error): string =>
  /circular/i.test(message) ? 'an alias (*) stands inside of what it is an alias of' : message
