import type { ErrorObject } from 'ajv'
import { brief, dotted, nearest } from '../../../shared/validation/schema-errors.ts'
import { isMapping, type Path, type SourceDocument } from '../../../shared/validation/yaml-source.ts'
import { type PolicyKind, policyApiVersion, policyKinds, schemaErrors } from '../model/crd-schema.ts'
import { placeholderSyntax, placeholdersIn, templateLine } from '../model/placeholder.ts'
import { isPolicyKind } from '../model/policy-source.ts'
import { capitalize } from './rule.ts'

// What is checked before a document is read as a policy: templates, YAML, kind, schema, and the comments that waive
// findings.

/** The rules about the text of a file, with the reason for each. They are always errors. */
export const documentRules = {
  yaml: 'Nothing can read invalid YAML. kubectl silently takes one of two duplicate keys, and the agent refuses the file.',
  'kind-of-object':
    'Tetragon has two kinds of policy. kubectl takes anything else as another kind of object, or refuses it.',
  schema:
    'The API server checks policies against the schema. It refuses wrong types and unknown values, and drops unknown fields.',
  template:
    'A template must be rendered first. kubectl and the agent do not fill in placeholders: they refuse them, or compare them as they are.',
  'name-twice':
    'Two policies of the same kind and namespace with the same name are the same object. kubectl replaces the first with the second, so the first never acts.',
  waiver: 'A waiver accepts a finding. It names a rule and tells the next reader why.',
} as const

/** A finding before the file and the reason are added. */
export interface DocumentFinding {
  rule: keyof typeof documentRules
  line: number
  message: string
  fix: string
}

export const emptyFileFinding: DocumentFinding = {
  rule: 'kind-of-object',
  line: 1,
  message: 'The file has no policy',
  fix: `Write a ${policyKinds.join(' or a ')}`,
}

/** Reports policies that have the name of an earlier one in the file. */
export function sameNameFindings(documents: SourceDocument[]): DocumentFinding[] {
  const lines = new Map<string, number>()
  return documents.flatMap(document => {
    const { kind, metadata } = (document.value ?? {}) as { kind?: unknown; metadata?: unknown }
    const { name, namespace } = isMapping(metadata) ? metadata : {}
    if (!isPolicyKind(kind) || typeof name !== 'string' || name === '') return []
    // The API server ignores the namespace of a policy for the whole cluster.
    const key = JSON.stringify([kind, name, kind === 'TracingPolicy' ? '' : namespace])
    const line = document.line(['metadata', 'name'])
    const first = lines.get(key)
    if (first === undefined) {
      lines.set(key, line)
      return []
    }
    return [
      {
        rule: 'name-twice',
        line,
        message: `${name} is also the name of the policy in line ${first}`,
        fix: 'Rename one',
      },
    ]
  })
}

/** Reports a file that is a template as a whole, and therefore often not even YAML. */
export function templateFileFindings(text: string, documents: SourceDocument[]): DocumentFinding[] {
  const isYaml = documents.every(({ errors }) => errors.length === 0)
  const line = templateLine(text, isYaml)
  if (line === undefined) return []
  const instruction = text.split('\n')[line - 1]!.trim()
  return [
    {
      rule: 'template',
      line,
      message: `The file is a template: ${instruction.slice(0, 60)}`,
      fix: templateFixes.template,
    },
  ]
}

const templateFixes = {
  shell: 'Fill it in first, as in: envsubst < FILE | ./lab policy lint -',
  template: 'Render it first, as in: helm template CHART | ./lab policy lint -',
  angle: 'Replace it with a value',
} as const

/** Reports placeholders in the values of a policy. */
export const placeholderFindings = (document: SourceDocument): (DocumentFinding & { path: Path })[] =>
  placeholdersIn(document.value).map(({ path, value }) => ({
    rule: 'template',
    path,
    line: document.line(path),
    message: `${brief(value)} is a placeholder`,
    fix: templateFixes[placeholderSyntax(value)!],
  }))

export const yamlFindings = ({ errors }: SourceDocument): DocumentFinding[] =>
  errors.map(({ line, message }) => ({
    rule: 'yaml',
    line,
    message: capitalize(message),
    fix: /twice$/.test(message) ? 'Keep one. Separate two policies with a line ---' : 'Correct the YAML',
  }))

export function kindFinding(document: SourceDocument, kind: unknown): DocumentFinding {
  return {
    rule: 'kind-of-object',
    line: document.line(['kind']),
    message: kind === undefined ? 'kind is missing' : `kind is ${brief(kind)}`,
    fix: `Write kind: ${policyKinds.join(' or ')}, with apiVersion: ${policyApiVersion}, metadata and spec`,
  }
}

export function apiVersionFindings(document: SourceDocument, apiVersion: unknown): DocumentFinding[] {
  if (apiVersion === policyApiVersion) return []
  return [
    {
      rule: 'kind-of-object',
      line: document.line(['apiVersion']),
      message: apiVersion === undefined ? 'apiVersion is missing' : `apiVersion is ${brief(apiVersion)}`,
      fix: `Write apiVersion: ${policyApiVersion}`,
    },
  ]
}

export const schemaFindings = (document: SourceDocument, kind: PolicyKind): (DocumentFinding & { path: Path })[] =>
  schemaErrors(kind, document.value).map(error => {
    const path = pathOf(error)
    return {
      rule: 'schema',
      path,
      line: document.line(path),
      message: schemaMessage(error, path),
      fix: schemaFix(error),
    }
  })

/** Returns the path of a schema error: that of the unknown or missing key, otherwise that of the value. */
function pathOf({ instancePath, params }: ErrorObject): Path {
  const steps = instancePath
    .split('/')
    .slice(1)
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map(step => (/^\d+$/.test(step) ? Number(step) : step))
  const key = params.additionalProperty ?? params.missingProperty
  return key === undefined ? steps : [...steps, key]
}

function schemaMessage({ keyword, params, message, data }: ErrorObject, path: Path): string {
  const where = path.length === 0 ? 'The policy' : dotted(path)
  const parent = path.length <= 1 ? 'The policy' : dotted(path.slice(0, -1))
  switch (keyword) {
    case 'additionalProperties':
      return `There is no field ${where}`
    case 'enum':
      return `${where} cannot be ${brief(data)}`
    case 'required':
      return `${parent} has no ${params.missingProperty}`
    case 'type':
      return `${where} is ${brief(data)}`
    default:
      return `${where} ${message}`
  }
}

/** The types of the schema, for people who write YAML. */
const typeNames: Record<string, string> = {
  string: 'text, in quotes',
  integer: 'a whole number, without quotes',
  boolean: 'true or false, without quotes',
  array: 'a list: one line with a dash for each item',
  object: 'keys with values below it',
}

function schemaFix({ keyword, params, parentSchema, data }: ErrorObject): string {
  switch (keyword) {
    case 'enum':
      return suggest(String(data), params.allowedValues as string[])
    case 'additionalProperties':
      return suggest(params.additionalProperty as string, Object.keys((parentSchema?.properties ?? {}) as object))
    case 'required':
      return `Add ${params.missingProperty}`
    case 'type':
      return `Write ${typeNames[params.type] ?? params.type}`
    default:
      return 'Correct the value'
  }
}

function suggest(word: string, known: string[]): string {
  const near = nearest(word, known)
  return near ? `Did you mean ${near}?` : `Use one of ${known.join(', ')}`
}

/** The rules that a file waives: in the whole file, or on certain lines. */
export type Waivers = Map<string, Set<number> | 'file'>

/**
 * Reads the comments that waive findings, `# lint: allow RULE, because REASON`, and reports those that are not valid. A
 * comment on a line of its own counts for the file, one at the end of a line for that line.
 */
export function readWaivers(
  text: string,
  isRule: (rule: string) => boolean,
): { waivers: Waivers; findings: DocumentFinding[] } {
  const waivers: Waivers = new Map()
  const findings: DocumentFinding[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const [, before = '', comment] = /^(.*?)(?:^|\s)#\s*lint:\s*(.*)$/.exec(line) ?? []
    const isForFile = before.trim() === ''
    // At the end of a line, the # can also be part of a text.
    if (comment === undefined || (!isForFile && !comment.startsWith('allow '))) continue
    const [, rule = '', reason = ''] = /^allow\s+([a-z-]+)\s*,\s*because\s+(\S.*)$/.exec(comment) ?? []
    if (reason && isRule(rule) && rule !== 'waiver') addWaiver(waivers, rule, isForFile ? 'file' : index + 1)
    else
      findings.push({
        rule: 'waiver',
        line: index + 1,
        message:
          rule && !isRule(rule) ? `There is no rule ${rule}` : `${JSON.stringify(comment)} is not a valid waiver`,
        fix: 'Write: # lint: allow RULE, because REASON',
      })
  }
  return { waivers, findings }
}

function addWaiver(waivers: Waivers, rule: string, where: number | 'file'): void {
  const earlier = waivers.get(rule)
  if (where === 'file' || earlier === 'file') waivers.set(rule, 'file')
  else waivers.set(rule, new Set([...(earlier ?? []), where]))
}

/** Returns whether a comment waives a rule on a line. */
export function isWaived(waivers: Waivers, rule: string, line: number): boolean {
  const where = waivers.get(rule)
  return where === 'file' || (where?.has(line) ?? false)
}
