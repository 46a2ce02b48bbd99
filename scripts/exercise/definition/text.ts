import { Lexer, type Token, type Tokens } from 'marked'
import { type CodeBlock, parseCodeBlock, parseInfoString } from './code-block.ts'

// An exercise's README.md as data: the text to show, the commands to run, and the place of each task.

/** The text of an exercise. */
export interface ExerciseText {
  tokens: Token[]
  /** Code blocks and tasks, in order. */
  items: TextItem[]
}

export type TextItem = CodeBlock | TaskQuote

/** A quote that gives out a task. It starts with **Task ID**. */
interface TaskQuote {
  kind: 'task'
  task: string
  line: number
  /** What is wrong with the quote. */
  problem?: string
}

/**
 * Parses a text. The attributes of a code block follow its language:
 * - `bash`, `bash task=ID`, `bash expect-error`, `bash for=5s`, `bash timeout=300s`, `bash no-test reason="…"`;
 * - `yaml file=work/…`;
 * - `text stable` or `text stable source=replay` for the output that the bash block before it always prints.
 *
 * Code blocks in a task's quote belong to the task. So does a command that is alone in a paragraph there and has no
 * placeholder such as NAME.
 */
export function parseExerciseText(markdown: string): ExerciseText {
  const tokens = new Lexer().lex(markdown)
  const items: TextItem[] = []
  let line = 1
  for (const token of tokens) {
    const task = taskIdOf(token)
    if (task === undefined) addCodeBlock(items, token, line)
    else addTask(items, token as Tokens.Blockquote, line, task)
    line += token.raw.split('\n').length - 1
  }
  return { tokens, items }
}

function addTask(items: TextItem[], quote: Tokens.Blockquote, line: number, task: string): void {
  items.push({ kind: 'task', task, line, ...quoteProblem(quote, task) })
  const lines = quote.raw.split('\n')
  for (const token of quote.tokens) {
    const firstLine = token.raw.split('\n')[0]!
    const tokenLine =
      line +
      Math.max(
        0,
        lines.findIndex(each => each.includes(firstLine)),
      )
    addCodeBlock(items, token, tokenLine, task)
    for (const [index, command] of commandSpans(token).entries())
      if (!placeholder.test(command))
        items.push({ ...parseCodeBlock('bash', command, tokenLine + index, new Map([['task', task]])), span: true })
  }
}

/** Finds an answer that the quote gives to another task: students would not notice it. */
function quoteProblem({ raw }: Tokens.Blockquote, task: string): { problem?: string } {
  const answers = [...raw.matchAll(/\.\/lab (?:exercise|ex) answer ([a-z][a-z0-9-]*)/g)]
  const other = answers.find(([, id]) => id !== task)
  return other ? { problem: `the answer of task ${task} is given to ${other[1]}` } : {}
}

function addCodeBlock(items: TextItem[], token: Token, line: number, task?: string): void {
  if (token.type !== 'code') return
  const { lang = '', text } = token as Tokens.Code
  const { language, attributes } = parseInfoString(lang)
  if (task !== undefined && !attributes.has('task')) attributes.set('task', task)
  if (language === 'text' && attributes.has('stable')) addOutput(items, text, line, attributes.get('source'))
  if (language === 'bash' || (language === 'yaml' && attributes.has('file')))
    items.push(parseCodeBlock(language, text, line, attributes))
}

/** Adds an expected output to the bash block before it. */
function addOutput(items: TextItem[], text: string, line: number, source: string | undefined): void {
  const before = items.at(-1)
  if (before?.kind !== 'code' || before.language !== 'bash')
    items.push({ ...parseCodeBlock('bash', '', line, new Map()), problem: 'stable output must follow a bash block' })
  else if (source === undefined || source === 'live' || source === 'replay')
    before.outputs.push({ text, ...(source && { source }) })
  else before.problem = `source=${source} is unknown; use live or replay`
}

/** A word in capitals that the student replaces. */
const placeholder = /(?<![$\w])[A-Z]{3,}(?!\w)/

/** Returns the commands of a paragraph that holds nothing else, each in a code span of its own. */
export function commandSpans(token: Token): string[] {
  if (token.type !== 'paragraph') return []
  const parts = (token as Tokens.Paragraph).tokens.filter(part => part.raw.trim() !== '' && part.type !== 'br')
  const spans = parts.map(part => (part.type === 'codespan' ? (part as Tokens.Codespan).text : ''))
  return spans.every(span => /^[\w./-]+ \S/.test(span)) ? spans : []
}

/** Returns the task that a quote gives out, if any. */
export const taskIdOf = (token: Token): string | undefined =>
  token.type === 'blockquote'
    ? /^\*\*Task ([a-z][a-z0-9-]*)\*\*/.exec((token as Tokens.Blockquote).text)?.[1]
    : undefined
