import type { ErrorObject } from 'ajv'
import { brief } from '../../../shared/validation/schema-errors.ts'
import { type Path, readSource, type SourceDocument } from '../../../shared/validation/yaml-source.ts'
import { type PolicyKind, policyApiVersion, policyKinds, schemaErrors } from '../model/crd-schema.ts'
import { readPolicyModel } from '../model/policy-model.ts'
import { actionRules } from './actions.ts'
import { argumentRules } from './arguments.ts'
import { hookRules, nearest } from './hooks.ts'
import { pathRules } from './paths.ts'
import type { Level, LintOptions, Rule } from './rule.ts'
import { scopeRules } from './scope.ts'
import { selectorRules } from './selectors.ts'
import { wordRules } from './words.ts'

/** Something that is wrong with a policy, or looks so. */
export interface Finding {
  rule: string
  /** `error`: the API server or the agent refuses it, or it does something else than it says. `warn`: it may well be meant so. */
  level: Level
  file: string
  /** From 1. */
  line: number
  /** What was found. */
  message: string
  /** What comes of it. */
  why: string
  /** What to write instead. */
  fix: string
}

/** Rules about a single policy, as far as it can be read. */
export const rules: readonly Rule[] = [
  ...wordRules,
  ...scopeRules,
  ...hookRules,
  ...argumentRules,
  ...selectorRules,
  ...pathRules,
  ...actionRules,
]

/** Rules about the text itself. */
const textRules = {
  yaml: 'What is no YAML is refused by all. Of a key that stands twice kubectl takes one without a word, and the agent refuses it.',
  'kind-of-object': 'Tetragon has two kinds of policy; anything else is taken for another object, or for none.',
  schema:
    'The API server holds a policy against the schema: it refuses wrong types and words, and drops fields that it does not know.',
  waiver: 'A waiver lifts warnings, names a rule, and says why, for whoever reads the policy next.',
} as const

/** Every rule's name with what comes of breaking it, in alphabetical order. */
export const ruleReasons: Readonly<Record<string, string>> = Object.fromEntries(
  [...Object.entries(textRules), ...rules.map(({ id, why }) => [id, why] as const)].sort(([a], [b]) =>
    a.localeCompare(b),
  ),
)

/** A finding that still knows its place in the document. */
interface Placed extends Finding {
  path: string
}

/**
 * Reads policies as the API server and the agent will: what they would refuse, and what they would take for something else than it
 * says. A file may hold several documents.
 *
 * A warning that is meant is waived by a comment in the file, `# lint: allow RULE, because REASON`; errors cannot be.
 * @param file Name for the findings; nothing is read from it.
 * @param options What is known about the kernel; by default a recent one without limits is assumed.
 */
export function lintPolicy(text: string, file: string, options: LintOptions = {}): Finding[] {
  const waived = readWaivers(text, file)
  const documents = readSource(text)
  const findings = documents.flatMap(document => lintDocument(document, file, options))
  if (documents.length === 0)
    findings.push(textFinding('kind-of-object', file, 1, 'an empty file', `write a ${policyKinds.join(' or a ')}`))
  return [
    ...waived.findings,
    ...findings.filter(({ rule, level }) => level === 'error' || !waived.rules.has(rule)),
  ].sort((a, b) => a.line - b.line)
}

function lintDocument(document: SourceDocument, file: string, options: LintOptions): Finding[] {
  if (document.errors.length > 0)
    return document.errors.map(({ line, message }) =>
      textFinding(
        'yaml',
        file,
        line,
        message,
        /twice$/.test(message) ? 'keep one; between two policies stands ---' : 'mend the YAML',
      ),
    )

  const { apiVersion, kind } = (document.value ?? {}) as { apiVersion?: unknown; kind?: unknown }
  if (!isPolicyKind(kind))
    return [
      textFinding(
        'kind-of-object',
        file,
        document.line(['kind']),
        kind === undefined ? 'no kind: a piece of a policy, not a whole one' : `kind ${brief(kind)}`,
        `write kind: ${policyKinds.join(' or ')}, with apiVersion: ${policyApiVersion}, metadata and spec`,
      ),
    ]

  const placed: Placed[] = []
  if (apiVersion !== policyApiVersion)
    placed.push({
      ...textFinding(
        'kind-of-object',
        file,
        document.line(['apiVersion']),
        apiVersion === undefined ? 'no apiVersion' : `apiVersion ${brief(apiVersion)}`,
        `write apiVersion: ${policyApiVersion}`,
      ),
      path: '',
    })

  const policy = readPolicyModel(kind, document.value)
  for (const { id, level, why, check } of rules)
    check(
      policy,
      (path, message, fix, own = level) =>
        placed.push({ rule: id, level: own, file, line: document.line(path), message, why, fix, path: pointer(path) }),
      options,
    )

  // Where a rule that knows more has spoken, the schema need not.
  const spoken = new Set(placed.filter(({ level }) => level === 'error').map(({ path }) => path))
  for (const error of schemaErrors(kind, document.value)) {
    const path = schemaPath(error)
    if (!spoken.has(pointer(path)))
      placed.push({
        ...textFinding('schema', file, document.line(path), schemaMessage(error, path), schemaFix(error)),
        path: pointer(path),
      })
  }
  return placed.map(({ path: _, ...finding }) => finding)
}

const isPolicyKind = (kind: unknown): kind is PolicyKind => policyKinds.includes(kind as PolicyKind)

function textFinding(rule: keyof typeof textRules, file: string, line: number, message: string, fix: string): Placed {
  return { rule, level: 'error', file, line, message, why: textRules[rule], fix, path: '' }
}

/** Comments that lift a warning. */
function readWaivers(text: string, file: string): { rules: Set<string>; findings: Finding[] } {
  const rulesWaived = new Set<string>()
  const findings: Finding[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const waiver = /^\s*#\s*lint:\s*(.*)$/.exec(line)
    if (!waiver) continue
    const [, rule = '', reason = ''] = /^allow\s+([a-z-]+)\s*,\s*because\s+(\S.*)$/.exec(waiver[1]!) ?? []
    if (reason && Object.hasOwn(ruleReasons, rule)) rulesWaived.add(rule)
    else
      findings.push(
        textFinding(
          'waiver',
          file,
          index + 1,
          `${JSON.stringify(waiver[1])} waives nothing${rule && !Object.hasOwn(ruleReasons, rule) ? `: no rule is called ${rule}` : ''}`,
          'write: # lint: allow RULE, because REASON',
        ),
      )
  }
  return { rules: rulesWaived, findings }
}

/** A path as ajv writes it. */
const pointer = (path: Path): string =>
  path.map(step => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

/** Where a schema error stands: at the key that is too much, otherwise at the value. */
function schemaPath({ instancePath, params }: ErrorObject): Path {
  const steps = instancePath
    .split('/')
    .slice(1)
    .map(step => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map(step => (/^\d+$/.test(step) ? Number(step) : step))
  return params.additionalProperty === undefined ? steps : [...steps, params.additionalProperty]
}

function schemaMessage({ keyword, params, message, data }: ErrorObject, path: Path): string {
  const where = path.length === 0 ? 'the policy' : path.join('.').replaceAll(/\.(\d+)/g, '[$1]')
  if (keyword === 'additionalProperties') return `there is no field ${where}`
  if (keyword === 'enum') return `${where} is none of the words that are known there`
  if (keyword === 'required') return `${where} lacks ${params.missingProperty}`
  if (keyword === 'type') return `${where} is ${brief(data)}`
  return `${where} ${message}`
}

/** Types of the schema in words. */
const typeWords: Record<string, string> = {
  string: 'text, in quotes',
  integer: 'a whole number, without quotes',
  boolean: 'true or false, without quotes',
  array: 'a list: a line with a dash for each item',
  object: 'keys with values below it',
}

function schemaFix({ keyword, params, parentSchema, data }: ErrorObject): string {
  if (keyword === 'enum') {
    const allowed = params.allowedValues as string[]
    const near =
      nearest(String(data), allowed) ?? allowed.find(word => word.toLowerCase() === String(data).toLowerCase())
    return near ? `did you mean ${near}?` : `write one of ${allowed.join(', ')}`
  }
  if (keyword === 'additionalProperties') {
    const known = Object.keys((parentSchema?.properties ?? {}) as object)
    const near = nearest(params.additionalProperty as string, known)
    return near ? `did you mean ${near}?` : `known there: ${known.join(', ')}`
  }
  if (keyword === 'required') return `add ${params.missingProperty}`
  if (keyword === 'type') return `write ${typeWords[params.type] ?? params.type}`
  return 'mend the value'
}
