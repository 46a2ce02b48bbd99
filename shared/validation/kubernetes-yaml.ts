import { type Document, type Scalar, visit } from 'yaml'

// kubectl and Tetragon read YAML with Go's yaml.v2, which follows YAML 1.1 with exceptions: `no` is false and `010` is
// 8, but `1:30` stays text.

const words = new Map<string, boolean | null>([
  ...wordsFor(true, 'y Y yes Yes YES true True TRUE on On ON'),
  ...wordsFor(false, 'n N no No NO false False FALSE off Off OFF'),
  ...wordsFor(null, '~ null Null NULL'),
  ['', null],
])

function wordsFor(value: boolean | null, list: string): [string, boolean | null][] {
  return list.split(' ').map(word => [word, value])
}

/** Gives the plain scalars of a document, those without quotes and tags, the values that Go's yaml.v2 reads. */
export function resolvePlainScalars(document: Document): void {
  visit(document, {
    Scalar(_, node: Scalar) {
      // An empty value has no source.
      if (node.type === 'PLAIN' && node.tag === undefined && typeof node.source === 'string')
        node.value = plainValue(node.source)
    },
  })
}

/** Returns the value of a plain scalar. */
export function plainValue(source: string): string | number | boolean | null {
  const word = words.get(source)
  if (word !== undefined) return word
  if (!/^[-+.0-9]/.test(source)) return source
  return integerValue(source.replaceAll('_', '')) ?? floatValue(source) ?? source
}

function integerValue(digits: string): number | undefined {
  const [, sign, body] = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/.exec(digits) ?? []
  if (body === undefined) return undefined
  // JavaScript does not know the octal form 017.
  const number = Number(/^0[0-7]/.test(body) ? `0o${body.slice(1)}` : body)
  return sign === '-' ? -number : number
}

function floatValue(source: string): number | undefined {
  const digits = source.startsWith('.') ? source : source.replaceAll('_', '')
  return /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/.test(digits) ? Number(digits) : undefined
}
