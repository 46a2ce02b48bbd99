import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import biome from '../../../biome.json' with { type: 'json' }
import manifest from '../../../package.json' with { type: 'json' }
import { loadProgram } from '../../../scripts/lab.ts'
import { projectDir } from '../../../shared/paths.ts'

const read = (file: string): string => readFileSync(join(projectDir, file), 'utf8')

it('LICENSE is the license that package.json names, in full', () => {
  expect(manifest.license).toBe('Apache-2.0')
  const license = read('LICENSE')
  expect(license).toContain('Apache License\n                           Version 2.0, January 2004')
  expect(license).toContain('9. Accepting Warranty or Additional Liability.')
  expect(license).toContain('APPENDIX: How to apply the Apache License to your work.')
})

it('CONTRIBUTING.md describes every test suite, with what it needs', async () => {
  const help = (await loadProgram(['test'])).commands.find(command => command.name() === 'test')!
  let text = ''
  help.configureOutput({ writeOut: part => (text += part) }).outputHelp()
  const suites = /^ {2}Suite .*\n((?: {2}\S.*\n)+)/m.exec(text)![1]!.trim().split('\n')
  expect(suites.length).toBeGreaterThan(5)
  const rows = [...read('CONTRIBUTING.md').matchAll(/^\| `\.\/lab test( \w+)?` \| (.*?) \|/gm)]
  expect(rows.map(([, suite = ' unit']) => suite.trim()).toSorted()).toEqual(
    suites.map(line => line.trim().split(' ')[0]).toSorted(),
  )
})

describe('issue forms', () => {
  interface Form {
    body: { id?: string; attributes: { label?: string; render?: string }; validations?: { required?: boolean } }[]
  }
  const form = (name: string): Form => parse(read(`.github/ISSUE_TEMPLATE/${name}.yml`)) as Form

  it('a bug report requires what happened, the version and lab doctor --json', () => {
    const required = form('bug').body.filter(({ validations }) => validations?.required)
    expect(required.map(({ id }) => id)).toEqual(['what', 'doctor', 'version'])
    expect(required[1]!.attributes).toMatchObject({ label: 'Output of `./lab doctor --json`', render: 'json' })
  })

  it('ask only for commands and options that exist', () => {
    const text = ['bug', 'idea'].map(name => read(`.github/ISSUE_TEMPLATE/${name}.yml`)).join('')
    const calls = [...text.matchAll(/\.\/lab (\w+)(?: (--\w+))?/g)]
    expect(calls.length).toBeGreaterThan(2)
    for (const [, name, option = ''] of calls) expect(read(`scripts/commands/${name}.ts`)).toContain(option)
  })
})

it('.editorconfig says the same as the formatter', () => {
  const { indentStyle, indentWidth, lineWidth } = biome.formatter
  const settings = Object.fromEntries(
    [...read('.editorconfig').matchAll(/^(\w+) = (\w+)$/gm)].map(match => match.slice(1)),
  )
  expect(settings).toMatchObject({
    indent_style: indentStyle,
    indent_size: String(indentWidth),
    max_line_length: String(lineWidth),
  })
})

const isCheckout = existsSync(join(projectDir, '.git'))
it.skipIf(!isCheckout)('no file has the line ends of Windows (needs a git checkout)', () => {
  const files = execFileSync('git', ['ls-files', '--eol'], { cwd: projectDir, encoding: 'utf8' }).trim().split('\n')
  expect(files.length).toBeGreaterThan(500)
  expect(files.filter(line => /crlf|mixed/.test(line.split('\t')[0]!))).toEqual([])
  expect(files.filter(line => !/attr\/(text=auto eol=lf|-text)/.test(line))).toEqual([])
})
