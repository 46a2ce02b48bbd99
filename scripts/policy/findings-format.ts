import { isAbsolute, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import manifest from '../../package.json' with { type: 'json' }
import { colors } from '../terminal/colors.ts'
import { type Finding, ruleInfos } from './lint/lint.ts'
import type { Level } from './lint/rule.ts'

// The formats in which `lab policy lint` prints its findings.

export const findingsFormats = ['text', 'json', 'sarif', 'github'] as const
export type FindingsFormat = (typeof findingsFormats)[number]

/** Prints findings as one text without a line break at its end; an empty one has nothing to print. */
export function formatFindings(format: FindingsFormat, findings: Finding[]): string {
  switch (format) {
    case 'text':
      return asText(findings)
    case 'json':
      return JSON.stringify(findings, null, 2)
    case 'sarif':
      return JSON.stringify(asSarif(findings), null, 2)
    case 'github':
      return asGithubCommands(findings).join('\n')
  }
}

/** Returns a finding in one line. */
export const formatFinding = ({ file, line, level, rule, message }: Finding): string =>
  `${file}:${line}: ${coloredLevels[level]} ${rule}: ${message}`

const coloredLevels: Record<Level, string> = {
  error: colors.red('error'),
  warn: colors.yellow('warning'),
  note: colors.cyan('note'),
}

/** Returns one line about the findings that matter only to the lab's pipeline; undefined if there are none. */
export function closingNote(findings: Finding[]): string | undefined {
  const byRule = Map.groupBy(
    findings.filter(({ level }) => level === 'note'),
    ({ rule }) => rule,
  )
  if (byRule.size === 0) return undefined
  const counts = [...byRule].map(([rule, { length }]) => `${rule} (${plural(length, 'time')})`)
  const example = `./lab policy lint --explain ${[...byRule.keys()][0]}`
  return `Only for policies of the lab: ${counts.join(', ')}. To read why: ${example}`
}

/** Returns a number with its noun. */
export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

/** Explains each rule at its first finding. Notes are left to the closing note. */
function asText(findings: Finding[]): string {
  const explained = new Set<string>()
  return findings
    .filter(({ level }) => level !== 'note')
    .flatMap(finding => {
      const why = explained.has(finding.rule) ? [] : [colors.dim(`  ${finding.why}`)]
      explained.add(finding.rule)
      return [formatFinding(finding), ...why, `  ${finding.fix}`]
    })
    .join('\n')
}

const withFix = ({ message, fix }: Finding): string => `${message}. ${fix}`

/** Returns the path from the current folder, with slashes, as GitHub and SARIF viewers look it up. */
function repositoryPath(file: string): string {
  const path = relative('', file)
  return (path.startsWith('..') || isAbsolute(path) ? file : path).split(sep).join('/')
}

// --- SARIF: https://docs.oasis-open.org/sarif/sarif/v2.1.0/

/** Returns a SARIF log, which code scanning of GitHub, GitLab and others reads. */
function asSarif(findings: Finding[]) {
  const used = ruleInfos.filter(({ id }) => findings.some(({ rule }) => rule === id))
  const rules = used.map(({ id, level, why }) => ({
    id,
    shortDescription: { text: why },
    help: { text: `./lab policy lint --explain ${id}` },
    defaultConfiguration: { level: levelNames[level] },
  }))
  const results = findings.map(finding => ({
    ruleId: finding.rule,
    level: levelNames[finding.level],
    message: { text: withFix(finding) },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: fileUri(finding.file) },
          region: { startLine: finding.line },
        },
      },
    ],
  }))
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [{ tool: { driver: { name: 'lab policy lint', semanticVersion: manifest.version, rules } }, results }],
  }
}

/** The names of the levels in SARIF. */
const levelNames = { error: 'error', warn: 'warning', note: 'note' } as const

function fileUri(file: string): string {
  const path = repositoryPath(file)
  return isAbsolute(path) ? pathToFileURL(path).href : path.split('/').map(encodeURIComponent).join('/')
}

// --- GitHub: https://docs.github.com/actions/reference/workflow-commands-for-github-actions

/** Returns workflow commands that annotate the lines of the findings, and one for all notes. */
function asGithubCommands(findings: Finding[]): string[] {
  const note = closingNote(findings)
  return [
    ...findings.filter(({ level }) => level !== 'note').map(annotation),
    ...(note ? [`::notice title=lab policy lint::${escapeData(note)}`] : []),
  ]
}

function annotation(finding: Finding): string {
  const properties = { file: repositoryPath(finding.file), line: String(finding.line), title: finding.rule }
  const list = Object.entries(properties).map(([key, value]) => `${key}=${escapeProperty(value)}`)
  return `::${levelNames[finding.level]} ${list.join(',')}::${escapeData(withFix(finding))}`
}

const escapeData = (text: string): string => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')

const escapeProperty = (text: string): string => escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
