import { styleText } from 'node:util'

type Format = Parameters<typeof styleText>[0]

// Node turns colors off for NO_COLOR, FORCE_COLOR=0 and an output that is not a terminal.
const style =
  (format: Format) =>
  (text: string): string =>
    styleText(format, text)

/** Styles for text on standard output. */
export const colors = {
  bold: style('bold'),
  dim: style('dim'),
  italic: style('italic'),
  underline: style('underline'),
  red: style('red'),
  green: style('green'),
  yellow: style('yellow'),
  cyan: style('cyan'),
}

/** Tells whether standard output shows colors. */
export const hasColors = (): boolean => colors.bold('x') !== 'x'
