import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml'

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

/** Reads a file of one or more YAML documents; comments and empty documents are left out. */
export function readSource(text: string): SourceDocument[] {
  const counter = new LineCounter()
  return [...parseAllDocuments(text, { lineCounter: counter, prettyErrors: false })]
    .map(document => describe(document, counter))
    .filter(document => document.errors.length > 0 || (document.value !== null && document.value !== undefined))
}

function describe(document: Document, counter: LineCounter): SourceDocument {
  const lineAt = (offset: number): number => counter.linePos(offset).line
  const errors = document.errors.map(error => ({ line: lineAt(error.pos[0]), message: error.message }))
  return {
    errors,
    value: errors.length === 0 ? document.toJS() : undefined,
    line(path) {
      let node = document.contents as Node | null
      let offset = node?.range?.[0] ?? 0
      for (const step of path) {
        if (isMap(node)) {
          const pair = node.items.find(({ key }) => isScalar(key) && key.value === step)
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
