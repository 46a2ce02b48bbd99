import type { ErrorObject } from 'ajv'
import { brief, dotted, nearest } from '../../../shared/validation/schema-errors.ts'
import type { Path, SourceDocument } from '../../../shared/validation/yaml-source.ts'
import { type PolicyKind, policyApiVersion, policyKinds, schemaErrors } from '../model/crd-schema.ts'
import { capitalize } from './rule.ts'

// What is checked before a document is read as a policy: YAML, kind, schema, and the comments that waive warnings.

/** The rules about the text of a file, with the reason for each. They are always errors. */
export const documentRules = {
  yaml: 'Nothing can read invalid YAML. kubectl silently takes one of two duplicate keys, and the agent refuses the file.',
  'kind-of-object':
    'Tetragon has two kinds of policy. kubectl takes anything else as another kind of object, or refuses it.',
  schema:
    'The API server checks policies against the schema. It refuses wrong types and unknown values, and drops unknown fields.',
  waiver: 'A waiver lifts warnings. It names a rule and tells the next reader why.',
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
  message: 'The file is empty',
  fix: `Write a ${policyKinds.join(' or a ')}`,
}

export const yamlFindings = ({ errors }: SourceDocument): DocumentFinding[] =>
  errors.map(({ line, message }) => ({
    rule: 'yaml',
    line,
    message: capitalize(message),
    fix: /twice$/.test(message) ? 'Keep one. Separate two policies with a line ---' : 'Correct the YAML',
  }))

export const isPolicyKind = (kind: unknown): kind is PolicyKind => policyKinds.includes(kind as PolicyKind)

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

/** Returns the path of a schema error: that of the unknown key, otherwise that of the value. */
function pathOf({ instancePath, params }: ErrorObject): Path {
  const steps = instancePath
    .split('/')
    .slice(1)
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map(step => (/^\d+$/.test(step) ? Number(step) : step))
  return params.additionalProperty === undefined ? steps : [...steps, params.additionalProperty]
}

function schemaMessage({ keyword, params, message, data }: ErrorObject, path: Path): string {
  const where = path.length === 0 ? 'The policy' : dotted(path)
  switch (keyword) {
    case 'additionalProperties':
      return `There is no field ${where}`
    case 'enum':
      return `${where} cannot be ${brief(data)}`
    case 'required':
      return `${where} has no ${params.missingProperty}`
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

/**
 * Reads the comments that waive warnings, `# lint: allow RULE, because REASON`, and reports those that are not valid.
 */
export function readWaivers(
  text: string,
  isRule: (rule: string) => boolean,
): { waived: Set<string>; findings: DocumentFinding[] } {
  const waived = new Set<string>()
  const findings: DocumentFinding[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const comment = /^\s*#\s*lint:\s*(.*)$/.exec(line)?.[1]
    if (comment === undefined) continue
    const [, rule = '', reason = ''] = /^allow\s+([a-z-]+)\s*,\s*because\s+(\S.*)$/.exec(comment) ?? []
    if (reason && isRule(rule)) waived.add(rule)
    else
      findings.push({
        rule: 'waiver',
        line: index + 1,
        message:
          rule && !isRule(rule) ? `There is no rule ${rule}` : `${JSON.stringify(comment)} is not a valid waiver`,
        fix: 'Write: # lint: allow RULE, because REASON',
      })
  }
  return { waived, findings }
}
