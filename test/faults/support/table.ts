import Table from 'cli-table3'

/** One fault, and what came of it. */
export interface Row {
  fault: string
  /** The line that the user saw. */
  saw: string
  /** What the next command did. */
  next: string
  /** Events lost on the way to Loki, of how many; empty where no events were flowing. */
  lost: string
}

export const rows: Row[] = []

/** All that was tried, as a table. */
export function tableOf(rows: readonly Row[]): string {
  const table = new Table({
    head: ['fault', 'what the user saw', 'what the next command did', 'lost'],
    colWidths: [34, 62, 42, 14],
    wordWrap: true,
    style: { head: [], border: [] },
  })
  for (const { fault, saw, next, lost } of rows) table.push([fault, saw, next, lost])
  return table.toString()
}
