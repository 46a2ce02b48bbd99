import { globSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { marked, type Tokens } from 'marked'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'
import { settingRows } from '../../../shared/settings/schema.ts'

// docs/troubleshooting.md: every message of what stands the lab up is explained, and what it advises can be done.

const page = readFileSync(join(projectDir, 'docs', 'troubleshooting.md'), 'utf8')
const tables = marked.lexer(page).filter((token): token is Tokens.Table => token.type === 'table')
const symptoms = tables
  .filter(table => table.header[0]!.text === 'symptom')
  .flatMap(table => table.rows.map(cells => cells[0]!.text))

/** Messages as the page writes them, with … for what differs. */
const explained = symptoms.flatMap(text =>
  [...text.matchAll(/`` (.+?) ``|`([^`]+)`/g)].map(([, long, short]) => long ?? short!),
)

/** A message of the source, with … for what is filled in. */
const texts = (node: ts.Node): string[] => {
  if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) return [node.text]
  if (ts.isTemplateExpression(node))
    return [node.head.text + node.templateSpans.map(span => `…${span.literal.text}`).join('')]
  return ts.isConditionalExpression(node) ? [...texts(node.whenTrue), ...texts(node.whenFalse)] : []
}

/** What is said to have been found wherever an error or a check of the doctor is made; wrong usage explains itself. */
function messages(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(join(projectDir, file), 'utf8'), ts.ScriptTarget.Latest, true)
  const all: string[] = []
  const walk = (node: ts.Node): void => {
    if (ts.isObjectLiteralExpression(node)) {
      const has = new Map(
        node.properties.filter(ts.isPropertyAssignment).map(({ name, initializer }) => [name.getText(), initializer]),
      )
      const found = has.get('found')
      if (found && has.has('next') && !has.has('exitCode')) all.push(...texts(found))
    }
    ts.forEachChild(node, walk)
  }
  walk(source)
  return all
}

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
/** The page's … stands for anything, also for nothing; but a text that says next to nothing explains only what is written just so. */
const patterns = explained
  .filter(text => text.replaceAll(/[^A-Za-z]/g, '').length >= 10)
  .map(text => new RegExp(`^${text.split('…').map(literally).join('.*')}$`))
const isExplained = (message: string): boolean =>
  explained.includes(message) || patterns.some(pattern => pattern.test(message))

const files = globSync(
  [
    'scripts/*.ts',
    'scripts/{bundle,cluster,doctor,doctor/checks,pulumi,tools}/*.ts',
    'scripts/commands/{down,policy}.ts',
    'stacks/**/*.ts',
  ],
  {
    cwd: projectDir,
  },
).filter(file => messages(file).length > 0)

describe('every message is explained', () => {
  test.each(files)('of %s', file => {
    expect(messages(file).filter(message => !isExplained(message))).toEqual([])
  })

  test('of the launcher', () => {
    const launcher = readFileSync(join(projectDir, 'lab'), 'utf8')
    const said = [...launcher.matchAll(/\bdie (["'])(.+?)\1 ["']/g)].map(([, , text]) =>
      text!.replaceAll(/\$(\([^)]*\)+|\{[^}]*\}|\w+)/g, '…'),
    )
    expect(said.length).toBeGreaterThan(8)
    expect(said.filter(message => !isExplained(message))).toEqual([])
  })

  test('and an unknown one would be missed', () => {
    expect(isExplained('the moon is in the way')).toBe(false)
  })
})

describe('what it advises can be done', () => {
  const commands = readdirSync(join(projectDir, 'scripts', 'commands')).map(file => file.replace(/\.ts$/, ''))
  const codes = tables.flatMap(table =>
    table.rows.flatMap(cells => cells.flatMap(cell => [...cell.text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!))),
  )

  test('with commands that there are', () => {
    const named = codes.flatMap(code => [...code.matchAll(/\.\/lab ([a-z]+)/g)].map(([, name]) => name!))
    expect(named.length).toBeGreaterThan(20)
    for (const name of named) expect(commands).toContain(name)
  })

  test('with settings that there are', () => {
    const settings = settingRows().map(row => row.path)
    const named = codes.flatMap(code => [...code.matchAll(/tetragon-lab:([A-Za-z.]+)/g)].map(([, name]) => name!))
    expect(named.length).toBeGreaterThan(5)
    for (const name of named) expect(settings).toContain(name)
  })
})
