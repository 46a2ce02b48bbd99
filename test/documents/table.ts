import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { marked, type Tokens } from 'marked'
import { projectDir } from '../../shared/paths.ts'

// docs/reference/documents.md as data: its tables are what the tests walk.

/** One thing that a document says, and what it is in the lab. */
export interface Row {
  /** Begins with the name of its document: k8s, falco, review, case. */
  id: string
  says: string
  /** Markdown. */
  here: string
  /** A line for a shell. */
  command: string
  /** What the command needs: nothing, a lab of any source, a lab whose kernel can trace. */
  runs: 'plan' | 'replay' | 'live'
  /** The section of second level that it stands in. */
  section: string
}

const columns = ['id', 'it says', 'here', 'command', 'runs']

/** The rows of all tables that have the five columns, in their order. @throws for a row that is not of their form. */
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
      if (!command) throw new Error(`${id}: the command ${code} is not one piece of code`)
      rows.push({ id, says, here, command, runs, section })
    }
  }
  return rows
}
