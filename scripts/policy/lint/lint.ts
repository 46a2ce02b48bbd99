import type { Path, SourceDocument } from '../../../shared/validation/yaml-source.ts'
import { readPolicyModel } from '../model/policy-model.ts'
import { isOtherObject, isPolicyKind, readPolicyDocuments } from '../model/policy-source.ts'
import {
  apiVersionFindings,
  type DocumentFinding,
  documentRules,
  emptyFileFinding,
  isWaived,
  kindFinding,
  placeholderFindings,
  readWaivers,
  sameNameFindings,
  schemaFindings,
  templateFileFindings,
  yamlFindings,
} from './document-rules.ts'
import { argumentRules } from './hooks/argument-rules.ts'
import { dataRules } from './hooks/data-rules.ts'
import { hookRules } from './hooks/hook-rules.ts'
import { lsmRules } from './hooks/lsm-rules.ts'
import { tracepointRules } from './hooks/tracepoint-rules.ts'
import { userProbeRules } from './hooks/user-probe-rules.ts'
import { metadataRules } from './metadata-rules.ts'
import { optionRules } from './option-rules.ts'
import type { Level, LintOptions, Rule } from './rule.ts'
import { ruleSources } from './rule-sources.ts'
import { scopeRules } from './scope-rules.ts'
import { actionRules } from './selectors/action-rules.ts'
import { binaryRules } from './selectors/binary-rules.ts'
import { operatorRules } from './selectors/operator-rules.ts'
import { overrideRules } from './selectors/override-rules.ts'
import { pathRules } from './selectors/path-rules.ts'
import { selectorRules } from './selectors/selector-rules.ts'
import { valueRules } from './selectors/value-rules.ts'

/** A mistake in a policy, or something that looks like one. */
export interface Finding {
  rule: string
  level: Level
  file: string
  /** From 1. */
  line: number
  /** What was found. */
  message: string
  /** Why it matters. */
  why: string
  /** What to write instead. */
  fix: string
}

/** The rules about a policy. Those about the text are in document-rules.ts. */
const rules: readonly Rule[] = [
  ...metadataRules,
  ...scopeRules,
  ...hookRules,
  ...userProbeRules,
  ...tracepointRules,
  ...lsmRules,
  ...argumentRules,
  ...dataRules,
  ...operatorRules,
  ...valueRules,
  ...selectorRules,
  ...binaryRules,
  ...pathRules,
  ...overrideRules,
  ...actionRules,
  ...optionRules,
]

/** The reason for every rule, by its id. */
export const ruleReasons: Readonly<Record<string, string>> = {
  ...documentRules,
  ...Object.fromEntries(rules.map(({ id, why }) => [id, why])),
}

/** What `--explain` and docs/reference/lint.md tell about a rule. */
export interface RuleInfo {
  id: string
  /** The level of most of its findings. */
  level: Level
  /** Why it matters. */
  why: string
  /** As in rule-sources.ts. */
  source: string
}

/** Every rule, in the order of the checks. */
export const ruleInfos: readonly RuleInfo[] = [
  ...Object.entries(documentRules).map(([id, why]) => ({ id, level: 'error' as const, why })),
  ...rules.map(({ id, level, why }) => ({ id, level, why })),
].map(info => ({ ...info, source: ruleSources[info.id] ?? '' }))

/**
 * Checks policies as the API server and the agent do, and finds what they would refuse or understand differently. A
 * file can have several documents.
 *
 * A comment in the file waives a finding, `# lint: allow RULE, because REASON`.
 * @param file The name for the findings. The function does not read it.
 * @param options The facts about the kernel. The default is a recent kernel with all features.
 */
export function lintPolicy(text: string, file: string, options: LintOptions = {}): Finding[] {
  const { waivers, findings } = readWaivers(text, rule => Object.hasOwn(ruleReasons, rule))
  return [
    ...findings.map(finding => toFinding(finding, file)),
    ...lintText(text, file, options).filter(({ rule, line }) => !isWaived(waivers, rule, line)),
  ].sort((a, b) => a.line - b.line)
}

function lintText(text: string, file: string, options: LintOptions): Finding[] {
  const documents = readPolicyDocuments(text)
  const template = templateFileFindings(text, documents)
  if (template.length > 0) return template.map(finding => toFinding(finding, file))
  if (documents.length === 0) return [toFinding(emptyFileFinding, file)]
  const others = documents.filter(({ value }) => isOtherObject(value))
  // kubectl applies a Pod next to a policy, but a file without any policy is probably the wrong one.
  const relevant = others.length < documents.length ? documents.filter(document => !others.includes(document)) : others
  return [
    ...relevant.flatMap(document => lintDocument(document, file, options)),
    ...sameNameFindings(relevant).map(finding => toFinding(finding, file)),
  ]
}

function lintDocument(document: SourceDocument, file: string, options: LintOptions): Finding[] {
  if (document.errors.length > 0) return yamlFindings(document).map(finding => toFinding(finding, file))
  const { apiVersion, kind } = (document.value ?? {}) as { apiVersion?: unknown; kind?: unknown }
  if (!isPolicyKind(kind)) return [toFinding(kindFinding(document, kind), file)]

  const findings = apiVersionFindings(document, apiVersion).map(finding => toFinding(finding, file))
  const placeholders = placeholderFindings(document)
  findings.push(...placeholders.map(finding => toFinding(finding, file)))
  const placeholderPaths = new Set(placeholders.map(({ path }) => pathKey(path)))
  // Other rules explain more than the schema. Where one reports an error, the schema's is left out.
  const errorPaths = new Set(findings.length > placeholders.length ? [pathKey(['apiVersion'])] : [])
  const policy = readPolicyModel(kind, document.value)
  const reported = new Set<string>()
  for (const rule of rules)
    rule.check(
      policy,
      (path, message, fix, level = rule.level) => {
        if (placeholderPaths.has(pathKey(path))) return
        // Two selectors can use the same macro.
        const key = `${rule.id} ${pathKey(path)} ${message}`
        if (reported.has(key)) return
        reported.add(key)
        findings.push({ rule: rule.id, level, file, line: document.line(path), message, why: rule.why, fix })
        if (level === 'error') errorPaths.add(pathKey(path))
      },
      options,
    )
  const schema = schemaFindings(document, kind).filter(({ path }) => !errorPaths.has(pathKey(path)))
  return [...findings, ...schema.map(finding => toFinding(finding, file))]
}

const toFinding = ({ rule, line, message, fix }: DocumentFinding, file: string): Finding => ({
  rule,
  level: 'error',
  file,
  line,
  message,
  why: documentRules[rule],
  fix,
})

const pathKey = (path: Path): string => JSON.stringify(path)
