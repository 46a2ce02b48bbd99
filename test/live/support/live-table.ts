import Table from 'cli-table3'

/** One part of the live test, and its outcome. */
export interface LiveRow {
  part: string
  result: 'passed' | 'failed' | 'skipped'
  seconds: number
  detail: string
}

export const liveRows: LiveRow[] = []

/** Formats the rows as a table for the terminal. */
export function tableOf(rows: readonly LiveRow[]): string {
  const table = new Table({
    head: ['part', 'result', 'time', 'what was seen'],
    colWidths: [38, 9, 8, 90],
    wordWrap: true,
    style: { head: [], border: [], compact: true },
  })
  for (const { part, result, seconds, detail } of rows) table.push([part, result, `${seconds.toFixed(0)} s`, detail])
  const count = (result: LiveRow['result']): number => rows.filter(row => row.result === result).length
  return `${table}\n${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`
}
