// Markdown that generated pages share.

/** Escapes what Markdown would read as HTML or as emphasis, except in code, and links addresses. */
export const escapeMarkdown = (text: string): string =>
  outsideCode(text, part =>
    part
      .replaceAll(/[<*\\]/g, character => `\\${character}`)
      .replaceAll(/https?:\/\/[^\s)]+/g, address => `<${address}>`),
  )

/** Changes a text except its code spans. */
export const outsideCode = (text: string, change: (part: string) => string): string =>
  text
    .split(/(`[^`]*`)/)
    .map(part => (part.startsWith('`') ? part : change(part)))
    .join('')

/** Formats a table. A cell can have line breaks and pipes. */
export const table = (head: string[], rows: string[][]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.map(cell).join(' | ')} |`).join('\n')

const cell = (text: string): string =>
  text
    .trim()
    .replaceAll('|', '\\|')
    .replaceAll(/\s*\n\s*/g, '<br>')

/** Formats a code block, whose fence is longer than any in the text. */
export function codeBlock(language: string, text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/^`+/gm)].map(([marks]) => marks.length))
  const fence = '`'.repeat(longest + 1)
  return `${fence}${language}\n${text.replace(/\n$/, '')}\n${fence}`
}
