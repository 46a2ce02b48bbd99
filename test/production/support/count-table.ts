import Table from 'cli-table3'
import { withMachine } from '../../../bench/load/report.ts'
import type { EventCount } from './events.ts'
import { readNote, writeNote } from './run.ts'

/** One thing that was broken, and the events that were written meanwhile. */
export interface CountRow extends Omit<EventCount, 'byNode' | 'sentAgain' | 'lateSeconds'> {
  what: string
  note: string
  /** Unknown over a time in which components restarted, because their counters started again. */
  sentAgain?: number
  lateSeconds?: number
}

/** Adds a row to the table of the run, or replaces that of an earlier try. */
export function noteCount(row: CountRow): void {
  const rows = readCounts().filter(({ what }) => what !== row.what)
  writeNote('counts', [...rows, row])
}

const readCounts = (): CountRow[] => readNote<CountRow[]>('counts') ?? []

const head = ['what happened', 'written', 'in Loki', 'lost', 'copies', 'unknown', 'sent again', 'late by', 'note']

const cells = ({ what, written, lost, copies, unknown, sentAgain, lateSeconds, note }: CountRow): string[] => [
  what,
  ...[written, written - lost, lost, copies, unknown].map(count => count.toLocaleString('en')),
  sentAgain === undefined ? '–' : `about ${sentAgain.toLocaleString('en')}`,
  lateSeconds === undefined ? '–' : `${lateSeconds} s`,
  note,
]

/** Formats the counts of the run for the terminal. */
export function countTable(): string {
  const table = new Table({ head, style: { head: [], border: [] } })
  for (const row of readCounts()) table.push(cells(row))
  return table.toString()
}

/** Formats the counts of the run as docs/reference/production-faults.md. */
export function countPage(): string {
  const { machine, date } = withMachine(undefined)
  return [
    '# Faults of a production cluster',
    '',
    '`LAB_TEST_TABLE=FILE ./lab test production` stops one component at a time and writes this table. It compares',
    'every event in the files of all nodes with those in Loki. `copies` are events that a query returns twice, `unknown`',
    'events that are in no file. `sent again` are events that Loki received once more and recognized.',
    '',
    `Three nodes on one machine: ${machine}; ${date}.`,
    '',
    `| ${head.join(' | ')} |`,
    `| --- |${' ---: |'.repeat(head.length - 2)} --- |`,
    ...readCounts().map(row => `| ${cells(row).join(' | ')} |`),
    '',
  ].join('\n')
}
