import type { Token, Tokens } from 'marked'
import { colors } from '../../terminal/colors.ts'
import { plainTable } from '../../terminal/table.ts'
import { parseInfoString } from '../definition/code-block.ts'
import { commandSpans, taskIdOf } from '../definition/text.ts'
import { type StyledText, textWidth, unstyled, wrap } from './paragraph.ts'

// Markdown on a terminal. Commands are on lines of their own without a prompt, so that they can be copied.

/** Returns the line to show under a task's quote. */
export type TaskLine = (id: string) => string | undefined

/** Renders the tokens of a Markdown text with ANSI colors, if colors are enabled. */
export function renderMarkdown(
  tokens: Token[],
  { width = textWidth(), task = () => undefined }: { width?: number; task?: TaskLine } = {},
): string {
  const blocks = tokens.map(token => block(token, width, task)).filter(text => text !== undefined)
  return `${blocks.join('\n\n')}\n`
}

function block(token: Token, width: number, task: TaskLine): string | undefined {
  switch (token.type) {
    case 'heading': {
      const { depth, tokens } = token as Tokens.Heading
      const text = plain(tokens)
      return depth === 1
        ? colors.bold(`${text}\n${'═'.repeat(text.length)}`)
        : colors.bold(depth === 2 ? colors.underline(text) : text)
    }
    case 'paragraph': {
      const commands = commandSpans(token)
      return commands.length > 0
        ? commands.map(command => `  ${colors.green(command)}`).join('\n')
        : wrap(inline((token as Tokens.Paragraph).tokens), width)
    }
    case 'text': {
      const { tokens, text } = token as Tokens.Text
      return wrap(tokens ? inline(tokens) : [{ text, style: unstyled }], width)
    }
    case 'list':
      return list(token as Tokens.List, width, task)
    case 'code':
      return code(token as Tokens.Code)
    case 'blockquote': {
      const { tokens } = token as Tokens.Blockquote
      const id = taskIdOf(token)
      const bar = id ? colors.cyan('┃ ') : colors.dim('│ ')
      const inner = tokens
        .map(each => block(each, width - 2, task))
        .filter(text => text !== undefined)
        .join('\n\n')
      const line = id ? task(id) : undefined
      return `${inner}${line ? `\n${line}` : ''}`
        .split('\n')
        .map(each => bar + each)
        .join('\n')
    }
    case 'table':
      return table(token as Tokens.Table)
    case 'hr':
      return colors.dim('─'.repeat(width))
    default:
      // Blank lines, and comments for the editors of the file.
      return undefined
  }
}

function list({ ordered, start, items }: Tokens.List, width: number, task: TaskLine): string {
  return items
    .map((item, index) => {
      const mark = ordered ? `${Number(start || 1) + index}. ` : '• '
      const inner = item.tokens
        .map(each => block(each, width - mark.length - 2, task))
        .filter(text => text !== undefined)
        .join('\n')
      return inner
        .split('\n')
        .map((line, at) => `  ${at === 0 ? colors.dim(mark) : ' '.repeat(mark.length)}${line}`)
        .join('\n')
    })
    .join('\n')
}

function code({ lang = '', text }: Tokens.Code): string {
  const { language, attributes } = parseInfoString(lang)
  const indented = (style: (line: string) => string): string =>
    text
      .split('\n')
      .map(line => `    ${style(line)}`)
      .join('\n')
  if (language === 'bash')
    return indented(line => (line.trimStart().startsWith('#') ? colors.dim(line) : colors.green(line)))
  if (language === 'text')
    return text
      .split('\n')
      .map(line => colors.dim(`  ┆ ${line}`))
      .join('\n')
  const file = attributes.get('file')
  return `${file ? `    ${colors.dim(`# ${file}`)}\n` : ''}${indented(colors.yellow)}`
}

function table({ header, rows }: Tokens.Table): string {
  const grid = plainTable(header.map(cell => plain(cell.tokens)))
  for (const row of rows) grid.push(row.map(cell => wrap(inline(cell.tokens), 200)))
  return grid.toString()
}

function inline(tokens: Token[], style: (text: string) => string = unstyled): StyledText[] {
  return tokens.flatMap((token): StyledText[] => {
    const over = (next: (text: string) => string) => (text: string) => style(next(text))
    switch (token.type) {
      case 'strong':
        return inline((token as Tokens.Strong).tokens, over(colors.bold))
      case 'em':
        return inline((token as Tokens.Em).tokens, over(colors.italic))
      case 'codespan':
        return [{ text: (token as Tokens.Codespan).text, style: over(colors.cyan) }]
      case 'link': {
        const { href, tokens: inner } = token as Tokens.Link
        const label = plain(inner)
        const shown = inline(inner, over(colors.underline))
        return /^https?:/.test(href) && label !== href
          ? [...shown, { text: ` (${href})`, style: over(colors.dim) }]
          : shown
      }
      case 'br':
        return [{ text: '\n', style }]
      case 'html':
        return []
      default: {
        const { tokens: inner, text } = token as Tokens.Text
        return inner ? inline(inner, style) : [{ text: text ?? token.raw, style }]
      }
    }
  })
}

const plain = (tokens: Token[]): string =>
  inline(tokens)
    .map(({ text }) => text)
    .join('')
