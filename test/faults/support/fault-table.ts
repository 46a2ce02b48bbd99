import Table from 'cli-table3'
import { withMachine } from '../../../bench/load/report.ts'

/** One fault and its outcome. */
export interface FaultRow {
  fault: string
  /** The line that the user sees. */
  message: string
  /** What the next command does, and how many events were lost. */
  recovery: string
}

export const faultRows: FaultRow[] = []

/** Formats the rows as a table for the terminal. */
export function tableOf(rows: readonly FaultRow[]): string {
  const table = new Table({
    head: ['fault', 'what you see', 'recovery'],
    colWidths: [34, 62, 56],
    wordWrap: true,
    style: { head: [], border: [] },
  })
  for (const { fault, message, recovery } of rows) table.push([fault, message, recovery])
  return table.toString()
}

/** The temporary path of the checkout, which means nothing to a reader. */
const checkoutFolder = /[^\s`]*\/lab ünder test \w+\/tetragon-lab/g

/** Formats the rows as docs/reference/faults.md. */
export function pageOf(rows: readonly FaultRow[]): string {
  const cell = (text: string): string =>
    text.replace(checkoutFolder, '~/tetragon-lab').replaceAll('|', '\\|').replaceAll('<', '&lt;')
  const { machine, date } = withMachine(rows)
  return [
    '# Faults and how the lab recovers',
    '',
    '`LAB_TEST_TABLE=FILE ./lab test faults` breaks a lab in each of these ways and writes this table.',
    'For each fault it checks that one line names the problem, that the next command repairs it without',
    'manual steps, and that `./lab verify` passes afterwards.',
    '',
    `${machine}; ${date}.`,
    '',
    '| fault | what you see | recovery |',
    '| --- | --- | --- |',
    ...rows.map(({ fault, message, recovery }) => `| ${[fault, message, recovery].map(cell).join(' | ')} |`),
    '',
  ].join('\n')
}
