import { Lexer, type Token, type Tokens } from 'marked'

// An exercise's README.md as data: what is to be read, what is to be run, and where each task stands.

/** The text of an exercise. */
export interface Text {
  tokens: Token[]
  /** What the test walks, in order. */
  items: Item[]
}

/** A place in the text that the test knows of. */
export type Item = Code | TaskPlace

/** Where a task stands: a quote that begins with **Task ID**. */
export interface TaskPlace {
  kind: 'task'
  task: string
  line: number
  /** What is wrong with the quote. */
  problem?: string
}

/** A fenced block: commands, or a file to be written. */
export interface Code {
  kind: 'code'
  /** `bash` is run, `yaml` with a `file` is written. */
  language: 'bash' | 'yaml'
  code: string
  line: number
  /** Task whose doing it is: its check fails before the first such block and passes after the last. */
  task?: string
  /** For `yaml`: where it is to be saved, from the project's folder. */
  file?: string
  /** Its commands end with an error. */
  expectError: boolean
  /** It does not end by itself: it is interrupted after so many seconds. */
  seconds?: number
  /** Seconds after which it has failed, where two minutes are too short. */
  timeout?: number
  /** Why it is not run. */
  noTest?: string
  /** What it prints, where that is always the same: lines in order, `…` for anything. */
  outputs: Shown[]
  /** A command that stands in a task's quote as a span, rather than in a fence. */
  span: boolean
  /** What is wrong with the block's attributes. */
  problem?: string
}

/** An output as the text shows it. */
export interface Shown {
  text: string
  /** Where alone it looks like this: where Tetragon itself runs, or where a recording is played. */
  source?: 'live' | 'replay'
}

/**
 * Reads a text. Attributes follow the language of a fenced block:
 * `bash`, `bash task=ID`, `bash expect-error`, `bash for=5s`, `bash timeout=300s`, `bash no-test reason="…"`, `yaml file=work/…`, and `text stable` (`text stable source=replay`)
 * for what the block before it always prints.
 *
 * What stands in a task's quote belongs to the task: its fenced blocks, and a command that is alone in a paragraph there and has no placeholder such as NAME.
 */
export function parseText(markdown: string): Text {
  const tokens = new Lexer().lex(markdown)
  const items: Item[] = []
  let offset = 0
  for (const token of tokens) {
    const line = markdown.slice(0, offset).split('\n').length
    offset += token.raw.length
    const task = taskOf(token)
    if (task === undefined) {
      readCode(token, line, items)
      continue
    }
    items.push({ kind: 'task', task, line, ...problemOf(token as Tokens.Blockquote, task) })
    const lines = token.raw.split('\n')
    for (const inner of (token as Tokens.Blockquote).tokens) {
      const first = inner.raw.split('\n')[0]!
      const at =
        line +
        Math.max(
          0,
          lines.findIndex(each => each.includes(first)),
        )
      readCode(inner, at, items, task)
      for (const [index, command] of commandsOf(inner).entries())
        if (!placeholder.test(command))
          items.push({ ...code('bash', command, at + index, new Map([['task', task]])), span: true })
    }
  }
  return { tokens, items }
}

/** Adds what a fenced block is to the items, if it is something to them. In a task's quote it belongs to that task. */
function readCode(token: Token, line: number, items: Item[], task?: string): void {
  if (token.type !== 'code') return
  const { lang = '', text } = token as Tokens.Code
  const { language, attributes } = readInfo(lang)
  if (task !== undefined && !attributes.has('task')) attributes.set('task', task)
  if (language === 'text' && attributes.has('stable')) {
    const before = items.at(-1)
    const source = attributes.get('source')
    if (before?.kind !== 'code' || before.language !== 'bash')
      items.push({ ...code('bash', '', line, new Map()), problem: 'stable output stands after a bash block' })
    else if (source !== undefined && source !== 'live' && source !== 'replay')
      before.problem = `source=${source}; there are live and replay`
    else before.outputs.push({ text, ...(source && { source }) })
  }
  if (language === 'bash' || (language === 'yaml' && attributes.has('file')))
    items.push(code(language, text, line, attributes))
}

/** A word that stands for what the student puts there. */
const placeholder = /(?<![$\w])[A-Z]{3,}(?!\w)/

/** Commands that stand alone in a paragraph, each in a span of its own. */
export function commandsOf(token: Token): string[] {
  if (token.type !== 'paragraph') return []
  const parts = (token as Tokens.Paragraph).tokens.filter(part => part.raw.trim() !== '' && part.type !== 'br')
  const spans = parts.map(part => (part.type === 'codespan' ? (part as Tokens.Codespan).text : ''))
  return spans.every(span => /^[\w./-]+ \S/.test(span)) ? spans : []
}

/** An answer to another task would never be noticed. */
function problemOf({ raw }: Tokens.Blockquote, task: string): { problem?: string } {
  const other = [...raw.matchAll(/\.\/lab (?:exercise|ex) answer ([a-z][a-z0-9-]*)/g)].find(([, id]) => id !== task)
  return other ? { problem: `the answer of task ${task} is given to ${other[1]}` } : {}
}

/** The task that a quote gives out, if it does. */
export function taskOf(token: Token): string | undefined {
  return token.type === 'blockquote'
    ? /^\*\*Task ([a-z][a-z0-9-]*)\*\*/.exec((token as Tokens.Blockquote).text)?.[1]
    : undefined
}

/** Language and attributes of a fenced block's info string. */
export function readInfo(info: string): { language: string; attributes: Map<string, string> } {
  const [, language = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(info.trim())!
  const attributes = new Map<string, string>()
  for (const [, name, quoted, plain] of rest.matchAll(/([a-z-]+)(?:=(?:"([^"]*)"|(\S+)))?/g))
    attributes.set(name!, quoted ?? plain ?? '')
  return { language, attributes }
}

const known = {
  bash: ['task', 'expect-error', 'for', 'timeout', 'no-test', 'reason'],
  yaml: ['task', 'file'],
}

function code(language: Code['language'], text: string, line: number, attributes: Map<string, string>): Code {
  const seconds = (name: string): number | undefined => {
    const number = /^(\d+)s$/.exec(attributes.get(name) ?? '')?.[1]
    return number === undefined ? undefined : Number(number)
  }
  const unknown = [...attributes.keys()].find(name => !known[language].includes(name))
  const file = attributes.get('file')
  const problem = unknown
    ? `no attribute ${unknown}; there are ${known[language].join(', ')}`
    : attributes.has('no-test') && !attributes.get('reason')
      ? 'no-test needs a reason="…"'
      : ['for', 'timeout'].some(name => attributes.has(name) && seconds(name) === undefined)
        ? 'for and timeout want seconds: for=5s'
        : file !== undefined && !/^work\/(?!.*\.\.)\S+$/.test(file)
          ? 'a file is saved in the student’s folder: file=work/…'
          : undefined
  return {
    kind: 'code',
    language,
    code: text,
    line,
    task: attributes.get('task'),
    file,
    expectError: attributes.has('expect-error'),
    seconds: seconds('for'),
    timeout: seconds('timeout'),
    outputs: [],
    span: false,
    noTest: attributes.has('no-test') ? attributes.get('reason') : undefined,
    problem,
  }
}

/**
 * Whether an output is what the text shows: the same lines in order, where spaces count as one and the frames of tables as spaces, `…` within a line stands for anything, and a line of
 * `…` alone for any lines.
 * @returns the first line that is not there, or undefined.
 */
export function missingLine(shown: string, output: string): string | undefined {
  const squeeze = (line: string): string => line.replace(/[\s│┌┬┐├┼┤└┴┘─]+/g, ' ').trim()
  const lines = output.split('\n').map(squeeze).filter(Boolean)
  let at = 0
  let skipping = false
  for (const wanted of shown.split('\n').map(squeeze).filter(Boolean)) {
    if (wanted === '…') {
      skipping = true
      continue
    }
    const pattern = new RegExp(`^${wanted.split('…').map(escaped).join('.*')}$`)
    const found = lines.findIndex((line, index) => index >= at && pattern.test(line))
    if (found < 0 || (found > at && !skipping)) return wanted
    at = found + 1
    skipping = false
  }
  return at < lines.length && !skipping ? `(no further line, but: ${lines[at]})` : undefined
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
