import { stripVTControlCharacters } from 'node:util'

/** Text in one style. */
export interface StyledText {
  text: string
  style: (text: string) => string
}

export const unstyled = (text: string): string => text

/** Returns the width to wrap text at: that of the terminal, up to 100 columns. */
export const textWidth = (): number => Math.min(process.stdout.columns ?? 100, 100)

/** Wraps plain text, and indents all lines but the first. */
export const paragraph = (text: string, { width = textWidth(), indent = 0 } = {}): string =>
  text
    .trim()
    .split(/\n{2,}/)
    .map(part => wrap([{ text: part, style: unstyled }], width - indent))
    .join('\n\n')
    .replaceAll('\n', `\n${' '.repeat(indent)}`)

/** Wraps styled text. Each word gets its own style, so that no style runs over the end of a line. */
export function wrap(pieces: StyledText[], width: number): string {
  const lines: string[] = []
  let line = ''
  for (const word of wordsOf(pieces)) {
    if (line && visibleLength(line) + 1 + visibleLength(word) > width) {
      lines.push(line)
      line = word
    } else line = line ? `${line} ${word}` : word
  }
  return [...lines, line].join('\n')
}

/** Splits at spaces. A word can consist of several pieces. */
function wordsOf(pieces: StyledText[]): string[] {
  const words: string[] = []
  let word = ''
  for (const { text, style } of pieces)
    for (const part of text.split(/(\s+)/)) {
      if (part.trim() !== '') word += style(part)
      else if (part !== '' && word) {
        words.push(word)
        word = ''
      }
    }
  return word ? [...words, word] : words
}

const visibleLength = (text: string): number => stripVTControlCharacters(text).length
