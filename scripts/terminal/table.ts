import Table from 'cli-table3'
import colors from 'picocolors'

/** A table without colours where there are none. */
export const plainTable = (head: string[], aligns: ('left' | 'right')[] = []): Table.Table =>
  new Table({
    head,
    colAligns: aligns,
    style: {
      head: colors.isColorSupported ? ['bold'] : [],
      border: colors.isColorSupported ? ['dim'] : [],
      compact: true,
    },
  })
