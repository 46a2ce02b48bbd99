import Table from 'cli-table3'
import { thisMachine, today } from '../../../bench/load/report.ts'

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

/** Where the copies of the checkout lie, which says nothing to a reader. */
const ownFolder = /[^\s`]*\/lab ünder test \w+\/tetragon-lab/g

/** The same as a page of the documentation. */
export function pageOf(rows: readonly Row[]): string {
  const cell = (text: string): string =>
    text.replace(ownFolder, '~/tetragon-lab').replaceAll('|', '\\|').replaceAll('<', '&lt;')
  return [
    '# What breaks a lab, and what mends it',
    '',
    'Made by `LAB_TEST_TABLE=docs/reference/faults.md ./lab test faults`, which breaks a lab in each of these ways and demands that one line says what is the matter, that the next command mends',
    'it with no step by hand, and that every promise of `./lab verify` is kept afterwards. Do not edit.',
    '',
    `${thisMachine()}; ${today()}.`,
    '',
    '| fault | what the user sees | what the next command does | events lost |',
    '| --- | --- | --- | --- |',
    ...rows.map(({ fault, saw, next, lost }) => `| ${[fault, saw, next, lost].map(cell).join(' | ')} |`),
    '',
  ].join('\n')
}
