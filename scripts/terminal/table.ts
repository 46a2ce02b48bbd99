import Table from 'cli-table3'
import { hasColors } from './colors.ts'

/** Creates a compact table, without escape codes where colors are off. */
export function plainTable(head: string[], aligns: ('left' | 'right')[] = []): Table.Table {
  const [headStyle, border] = hasColors() ? [['bold'], ['dim']] : [[], []]
  return new Table({ head, colAligns: aligns, style: { head: headStyle, border, compact: true } })
}
