import { join } from 'node:path'
import { Ajv } from 'ajv'
import { describe, expect, test } from 'vitest'
import { closingNote, formatFinding, formatFindings } from '../../../scripts/policy/findings-format.ts'
import { type Finding, ruleInfos } from '../../../scripts/policy/lint/lint.ts'

const finding = (changes: Partial<Finding> = {}): Finding => ({
  rule: 'syscall-flag',
  level: 'error',
  file: 'policies/a.yaml',
  line: 8,
  message: 'tcp_connect is not a system call, but syscall defaults to true',
  why: 'The agent refuses it.',
  fix: 'Add syscall: false',
  ...changes,
})

const note = finding({ rule: 'severity-tag', level: 'note' })

describe('text', () => {
  test('gives the reason for a rule once', () => {
    expect(formatFindings('text', [finding(), finding({ line: 9, level: 'warn' })]).split('\n')).toEqual([
      'policies/a.yaml:8: error syscall-flag: tcp_connect is not a system call, but syscall defaults to true',
      '  The agent refuses it.',
      '  Add syscall: false',
      'policies/a.yaml:9: warning syscall-flag: tcp_connect is not a system call, but syscall defaults to true',
      '  Add syscall: false',
    ])
  })

  test('leaves notes to one closing line', () => {
    expect(formatFindings('text', [note, note])).toBe('')
    expect(closingNote([note, finding(), note])).toBe(
      'Only for policies of the lab: severity-tag (2 times). To read why: ./lab policy lint --explain severity-tag',
    )
    expect(closingNote([finding()])).toBeUndefined()
    expect(formatFinding(note)).toContain(':8: note severity-tag: ')
  })
})

test('json is the list of all findings', () => {
  expect(JSON.parse(formatFindings('json', [finding(), note]))).toEqual([finding(), note])
})

describe('github', () => {
  const lines = (...findings: Finding[]): string[] => formatFindings('github', findings).split('\n')

  test('annotates the line of each finding', () => {
    expect(lines(finding(), finding({ level: 'warn', rule: 'hot-hook' }))).toEqual([
      '::error file=policies/a.yaml,line=8,title=syscall-flag::tcp_connect is not a system call, but syscall defaults to true. Add syscall: false',
      '::warning file=policies/a.yaml,line=8,title=hot-hook::tcp_connect is not a system call, but syscall defaults to true. Add syscall: false',
    ])
  })

  test('escapes what would end a command or a property', () => {
    const [line] = lines(finding({ file: 'a,b:c%.yaml', message: '100%\r\n::error::x' }))
    expect(line).toBe(
      '::error file=a%2Cb%3Ac%25.yaml,line=8,title=syscall-flag::100%25%0D%0A::error::x. Add syscall: false',
    )
  })

  test('has one notice for all notes', () => {
    expect(lines(note, note)).toEqual([`::notice title=lab policy lint::${closingNote([note, note])}`])
  })

  test('names files from the current folder, where the checkout is', () => {
    const [inside, outside] = lines(
      finding({ file: join(process.cwd(), 'x', 'a.yaml') }),
      finding({ file: '/srv/a.yaml' }),
    )
    expect([inside, outside]).toEqual([
      expect.stringContaining('file=x/a.yaml,'),
      expect.stringContaining('file=/srv/a.yaml,'),
    ])
  })
})

describe('sarif', () => {
  const sarif = (...findings: Finding[]) => JSON.parse(formatFindings('sarif', findings))

  test('follows the SARIF schema', () => {
    const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(sarifSchema)
    const everyRule = ruleInfos.map(({ id, level, why }) => finding({ rule: id, level, why }))
    for (const findings of [[], [finding()], [note], everyRule]) {
      validate(sarif(...findings))
      expect(validate.errors ?? []).toEqual([])
    }
    // The schema above must be able to fail.
    expect(validate({ ...sarif(finding()), version: '2.0.0' })).toBe(false)
    expect(validate(sarif(finding({ line: 0 })))).toBe(false)
  })

  test('has each finding with its level, text and place', () => {
    expect(sarif(finding({ level: 'warn' })).runs[0].results).toEqual([
      {
        ruleId: 'syscall-flag',
        level: 'warning',
        message: {
          text: 'tcp_connect is not a system call, but syscall defaults to true. Add syscall: false',
        },
        locations: [
          {
            physicalLocation: { artifactLocation: { uri: 'policies/a.yaml' }, region: { startLine: 8 } },
          },
        ],
      },
    ])
  })

  test('describes the rules of its results, and no others', () => {
    const { rules } = sarif(finding(), finding(), note).runs[0].tool.driver
    expect(rules.map(({ id }: { id: string }) => id).sort()).toEqual(['severity-tag', 'syscall-flag'])
  })

  test('writes a file name as a URI', () => {
    const uri = (file: string) =>
      sarif(finding({ file })).runs[0].results[0].locations[0].physicalLocation.artifactLocation.uri
    expect(uri('my policies/ü#1.yaml')).toBe('my%20policies/%C3%BC%231.yaml')
    expect(uri(join(process.cwd(), 'x', 'a.yaml'))).toBe('x/a.yaml')
    expect(uri('/srv/a b.yaml')).toBe('file:///srv/a%20b.yaml')
  })
})

/** The parts of the SARIF 2.1.0 schema that a log of this tool uses: sections 3.13 to 3.52 of the specification. */
const level = { enum: ['none', 'note', 'warning', 'error'] }
const text = {
  type: 'object',
  required: ['text'],
  properties: { text: { type: 'string' } },
  additionalProperties: false,
}
const closedObject = (required: string[], properties: object) => ({
  type: 'object',
  required,
  properties,
  additionalProperties: false,
})
const sarifSchema = closedObject(['version', 'runs'], {
  $schema: { type: 'string', format: 'uri' },
  version: { enum: ['2.1.0'] },
  runs: {
    type: 'array',
    items: closedObject(['tool'], {
      tool: closedObject(['driver'], {
        driver: closedObject(['name'], {
          name: { type: 'string' },
          semanticVersion: { type: 'string' },
          informationUri: { type: 'string', format: 'uri' },
          rules: {
            type: 'array',
            uniqueItems: true,
            items: closedObject(['id'], {
              id: { type: 'string' },
              shortDescription: text,
              help: text,
              helpUri: { type: 'string', format: 'uri' },
              defaultConfiguration: closedObject([], { level }),
            }),
          },
        }),
      }),
      results: {
        type: 'array',
        items: closedObject(['message'], {
          ruleId: { type: 'string' },
          level,
          message: text,
          locations: {
            type: 'array',
            items: closedObject([], {
              physicalLocation: closedObject(['artifactLocation'], {
                artifactLocation: closedObject([], { uri: { type: 'string', pattern: '^[^ \\\\]+$' } }),
                region: closedObject([], { startLine: { type: 'integer', minimum: 1 } }),
              }),
            }),
          },
        }),
      },
    }),
  },
})
