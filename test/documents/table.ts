import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { marked, type Tokens } from 'marked'
import { projectDir } from '../../shared/paths.ts'

// Reads the tables of docs/reference/documents.md.

/** One statement of a document, and what corresponds to it in the lab. */
export interface Row {
  /** Starts with the document's name: k8s, falco, review or case. */
  id: string
  says: string
  /** Markdown. */
  here: string
  /** A shell command. */
  command: string
  /** What the command needs: nothing (`plan`), any running lab (`replay`), or a lab with a live agent (`live`). */
  runs: 'plan' | 'replay' | 'live'
  /** The heading of its section. */
  section: string
}

const columns = ['id', 'it says', 'here', 'command', 'runs']

/**
 * Returns the rows of all tables with these five columns, in order.
 * @throws when the command of a row is not a single code span.
 */
export function readRows(file = join(projectDir, 'docs', 'reference', 'documents.md')): Row[] {
  let section = ''
  const rows: Row[] = []
  for (const token of marked.lexer(readFileSync(file, 'utf8'))) {
    if (token.type === 'heading' && token.depth === 2) section = token.text
    if (token.type !== 'table') continue
    const table = token as Tokens.Table
    if (table.header.map(cell => cell.text).join() !== columns.join()) continue
    for (const cells of table.rows) {
      const [id, says, here, code, runs] = cells.map(cell => cell.text) as [string, string, string, string, Row['runs']]
      const command = /^`([^`]+)`$/.exec(code)?.[1]
      if (!command) throw new Error(`${id}: the command ${code} is not a single code span`)
      rows.push({ id, says, here, command, runs, section })
    }
  }
  return rows
}
