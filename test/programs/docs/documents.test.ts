import { execFileSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { allDashboards } from '../../../dashboards/index.ts'
import { panelQueries } from '../../../dashboards/panel-queries.ts'
import { loadProgram } from '../../../scripts/lab.ts'
import type { Recording } from '../../../scripts/plan/fake-engine.ts'
import { overrideSettings } from '../../../scripts/plan/override-settings.ts'
import { readCatalog } from '../../../scripts/policy/catalog.ts'
import { projectDir } from '../../../shared/paths.ts'
import { policyFolder } from '../../../shared/policy-file.ts'
import { settingRows } from '../../../shared/settings/setting-rows.ts'
import { readStackConfig } from '../../../shared/settings/stack-file.ts'
import { counts, items } from '../../documents/items.ts'
import { type RowResult, runner } from '../../documents/run.ts'
import { type Row, readRows } from '../../documents/table.ts'
import { planEach } from '../../plan/support/plans.ts'
import { runLab } from '../../unit/support/run-lab.ts'

// docs/reference/documents.md must cover the four documents completely and name only what exists. The rows that need
// neither Docker nor a cluster are run here, the others by `lab test documents`.

/** Plans of the rows, by their settings: the real program makes all of them in one process, which takes seconds less. */
const plans = vi.hoisted(() => new Map<string, Promise<Recording>>())
vi.mock(import('../../../scripts/plan/plan-lab.ts'), async original => {
  const { planLab } = await original()
  return {
    planLab: async (sections = {}, env = {}) => {
      const recording = await plans.get(JSON.stringify(sections))
      return recording ? { ...recording, exitCode: 0 } : planLab(sections, env)
    },
  }
})

const rows = readRows()
const each = rows.map(row => [row.id, row] as const)
const sections: Record<string, string> = {
  k8s: 'Tetragon on Kubernetes',
  falco: 'From Falco to Tetragon',
  review: 'Tetragon, 2024 in review',
  case: 'Tetragon-OTel',
}
const documentOf = (id: string): string => id.slice(0, id.indexOf('-'))

describe('the table', () => {
  test('has one row of its own for each item', () => {
    expect(rows.map(row => row.id).toSorted()).toEqual(Object.keys(items).toSorted())
  })

  test('has each row in the section of its document', () => {
    for (const { id, section } of rows) expect(section, id).toBe(sections[documentOf(id)])
  })

  test('omits no heading and no code block of a document', () => {
    const of = (document: string, kind: 'headings' | 'blocks') =>
      Object.entries(items).flatMap(([id, item]) => (documentOf(id) === document ? (item[kind] ?? []) : []))
    const found = Object.keys(counts).map(document => [
      document,
      { headings: of(document, 'headings').length, blocks: of(document, 'blocks').length },
    ])
    expect(Object.fromEntries(found)).toEqual(counts)
  })

  test('quotes a document briefly in each row', () => {
    for (const [id, { headings = [], blocks = [], claims = [] }] of Object.entries(items)) {
      const quotes = [...headings, ...blocks, ...claims]
      expect(quotes.length, id).toBeGreaterThan(0)
      for (const quote of quotes) expect(quote.length, `${id}: ${quote}`).toBeLessThan(120)
    }
  })
})

// The project may not distribute the documents. If LAB_DOCUMENTS names a folder with them, as four text files whose names
// begin with 000 to 003, each quote is looked up.
const documents = process.env.LAB_DOCUMENTS
describe.skipIf(!documents)('the documents (needs LAB_DOCUMENTS, a folder with them)', () => {
  const plain = (text: string): string =>
    text
      .toLowerCase()
      .replaceAll('’', "'")
      .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
  test.each(Object.keys(sections).map((name, index) => [name, `00${index}`] as const))('%s', (name, number) => {
    const file = readdirSync(documents!).find(each => each.startsWith(number))!
    const text = plain(readFileSync(join(documents!, file), 'utf8'))
    const missing = Object.entries(items)
      .filter(([id]) => documentOf(id) === name)
      .flatMap(([id, { headings = [], blocks = [], claims = [] }]) =>
        [...headings, ...blocks, ...claims]
          .filter(quote => !text.includes(plain(quote).trim()))
          .map(quote => `${id}: ${quote}`),
      )
    expect(missing).toEqual([])
  })
})

describe('the names in the table', () => {
  let program: Command
  beforeAll(async () => {
    program = await loadProgram()
  })
  const policies = readCatalog().map(entry => entry.name)

  /** Returns the arguments of each call of `./lab` in a command line, as in `["policy", "show", "deny-wget"]`. */
  const labCalls = (command: string): string[][] =>
    command
      .split(/ (?:&&|\|) |; /)
      .filter(part => part.startsWith('./lab '))
      .map(part => part.split(' ').slice(1))

  test('each command is valid in a shell', () => {
    expect(() => execFileSync('sh', ['-n', '-c', rows.map(row => row.command).join('\n')])).not.toThrow()
  })

  test.each(each)('%s: the command exists', (_id, { command }) => {
    expect(command).toMatch(/^(\.\/lab|kubectl|curl) /)
    for (const words of labCalls(command)) {
      if (words[0] === '--help') continue
      const outer = program.commands.find(one => one.name() === words[0])
      expect(outer, words.join(' ')).toBeDefined()
      const inner = outer!.commands.find(one => one.name() === words[1])
      if (outer!.commands.length > 0) expect(inner, words.join(' ')).toBeDefined()
      // These commands pass their options to another program.
      const handedOn = ['kubectl', 'tetra', 'pulumi'].includes(words[0]!)
      const known = new Set((inner ?? outer!).options.flatMap(({ long, short }) => [long, short]))
      if (!handedOn) for (const word of words) if (/^--?[a-z]/.test(word)) expect(known, command).toContain(word)
      if (words[0] !== 'policy') continue
      if (['show', 'apply', 'remove', 'check'].includes(words[1]!)) expect(policies, command).toContain(words[2])
      if (words[1] === 'lint') expect(existsSync(join(projectDir, words[2]!)), words[2]).toBe(true)
    }
  })

  const headings = (file: string): string[] =>
    [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replaceAll(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    )

  const pages = globSync(['*.md', '{.changeset,bench}/README.md', 'docs/**/*.md'], { cwd: projectDir })
  test.each(pages)('%s: its links lead somewhere', page => {
    const file = join(projectDir, page)
    for (const [, text, target] of readFileSync(file, 'utf8').matchAll(/\[([^\]]+)\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path, anchor] = target!.split('#') as [string, string | undefined]
      const to = path ? resolve(dirname(file), path) : file
      expect(existsSync(to), target).toBe(true)
      if (anchor) expect(headings(to), target).toContain(anchor)
      // The text of a link to a policy is the policy's name.
      if (dirname(to) === policyFolder && !text!.endsWith('.yaml')) expect(`${text}.yaml`).toBe(path.split('/').at(-1))
    }
  })

  const titles = allDashboards().flatMap(({ dashboard }) => [
    dashboard.title!,
    ...panelQueries(dashboard).map(query => query.panel.title!),
  ])
  const settings = settingRows().map(row => row.path)
  const roots = [...new Set(settings.map(path => path.split('.')[0]))]

  test.each(each)('%s: panels and settings exist', (_id, { here }) => {
    const prose = here.replaceAll(/`[^`]*`/g, '')
    for (const [, title] of prose.matchAll(/(?<![\w*])\*([^*]+)\*(?![\w*])/g)) {
      if (title === 'scope') continue
      expect(titles).toContain(title)
    }
    for (const [, code] of here.matchAll(/`([^`]+)`/g)) {
      const setting = /^([a-z]+)(\.[A-Za-z]+)+/.exec(code!)
      if (setting && roots.includes(setting[1]!)) expect(settings, code).toContain(setting[0])
    }
  })
})

/** Runs `lab WORDS` in this process, because starting Node takes longer than a small command. */
async function runHere(words: string[]): Promise<RowResult> {
  const { stdout, stderr, exitCode } = await runLab(...words)
  return { output: stdout + stderr, exitCode }
}

describe('rows that need no lab', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lab-documents-'))
  const env = {
    LAB_DIR: folder,
    TMPDIR: folder,
    LAB_LOCK: '',
    KUBECONFIG: '',
    // The commands must not use an engine, even if one is running.
    DOCKER_HOST: `unix://${folder}/no-docker.sock`,
  }
  const shell = runner(env)
  // Words that a shell would only split.
  const plain = /^\.\/lab (policy|dashboards|exercise|plan|doctor)( [\w./=-]+)*$/
  const plan = rows.filter(row => row.runs === 'plan')
  beforeAll(() => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    const settings: Record<string, Record<string, unknown>> = {}
    for (const { id, command } of plan) {
      if (!command.startsWith('./lab plan') || items[id]!.exit) continue
      const changes = [...command.matchAll(/--set (\S+)/g)].map(([, change]) => change!)
      const sections = overrideSettings(readStackConfig(), changes)
      settings[JSON.stringify(sections)] = sections
    }
    // Made while other rows are checked.
    const made = planEach(settings, env)
    for (const key of Object.keys(settings))
      plans.set(
        key,
        made.then(recordings => recordings[key]!),
      )
  })
  afterAll(() => {
    vi.unstubAllEnvs()
    rmSync(folder, { recursive: true, force: true })
  })
  async function run({ command }: Row): Promise<RowResult> {
    const [head, ...rest] = command.split(' | ') as [string, ...string[]]
    if (!plain.test(head)) return shell(command)
    const result = await runHere(head.split(' ').slice(1))
    if (rest.length === 0) return result
    const file = join(folder, 'output')
    writeFileSync(file, result.output)
    return shell(`cat ${file} | ${rest.join(' | ')}`, true)
  }

  test.each(plan.map(row => [row.id, row] as const))('%s', { timeout: 60_000 }, async (id, row) => {
    const { shows, hides, exit = 0 } = items[id]!
    const { output, exitCode } = await run(row)
    expect(output).toMatch(shows)
    if (hides) expect(output).not.toMatch(hides)
    expect(exitCode).toBe(exit)
  })
})
