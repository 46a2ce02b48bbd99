import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { LabError } from '../../shared/lab-error.ts'
import { projectDir } from '../../shared/paths.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import { type Finding, lintPolicy, type RuleInfo, ruleInfos } from './lint/lint.ts'
import { schemaVersion } from './model/crd-schema.ts'

// Explains a rule with its examples, which are also the rule's tests.

export interface RuleExplanation extends RuleInfo {
  /** The address of the source, or a path in this repository. */
  source: string
  /** A policy that breaks the rule, and the same policy corrected. */
  bad: string
  good: string
  /** The first finding in the bad policy. */
  finding: Pick<Finding, 'line' | 'message' | 'fix'>
}

const exampleFolder = join(projectDir, 'test', 'policies', 'rules')

/**
 * Explains a rule.
 * @throws LabError when there is no such rule.
 */
export function explainRule(id: string): RuleExplanation {
  const info = ruleInfos.find(rule => rule.id === id)
  if (!info) throw unknownRuleError(id)
  const read = (file: string): string => readFileSync(join(exampleFolder, id, file), 'utf8')
  // Some rules only apply to certain kernels.
  const kernel = existsSync(join(exampleFolder, id, 'kernel.json')) ? JSON.parse(read('kernel.json')) : undefined
  const [bad, good] = [read('bad.yaml'), read('good.yaml')]
  const finding = lintPolicy(bad, 'bad.yaml', { kernel }).find(({ rule }) => rule === id)!
  const { line, message, fix } = finding
  return { ...info, source: sourceAddress(info.source), bad, good, finding: { line, message, fix } }
}

function unknownRuleError(id: string): LabError {
  const near = nearest(
    id,
    ruleInfos.map(rule => rule.id),
  )
  return new LabError({
    found: `There is no rule ${id || '""'}`,
    expected: near ? `${near} (the nearest name)` : 'a rule of docs/reference/lint.md',
    next: near ? `./lab policy lint --explain ${near}` : "grep '^### ' docs/reference/lint.md",
    exitCode: 2,
  })
}

const sourceAddress = (source: string): string =>
  source.startsWith('tetragon:')
    ? `https://github.com/cilium/tetragon/blob/v${schemaVersion()}/${source.slice('tetragon:'.length)}`
    : source

/** Returns an explanation as text. */
export function formatExplanation({ id, level, why, source, bad, good, finding }: RuleExplanation): string {
  const lines = compareYaml(bad, good)
  const part = (other: ComparedLine['mark']): string[] =>
    lines.filter(({ mark }) => mark !== other).map(({ mark, text }) => (mark === ' ' ? `  ${text}` : `> ${text}`))
  return [
    `${id} (${level === 'warn' ? 'warning' : level})`,
    why,
    `Source: ${source}`,
    '',
    'Bad:',
    ...part('+'),
    `${finding.message}. ${finding.fix}`,
    '',
    'Good:',
    ...part('-'),
    '',
    `Both files: test/policies/rules/${id}/`,
  ].join('\n')
}

/** A line of a comparison: in both texts, only in the first (`-`), or only in the second (`+`). */
export interface ComparedLine {
  mark: ' ' | '-' | '+'
  text: string
}

/**
 * Compares two YAML texts, and returns the lines that differ with their neighbors and the keys that they are under.
 * @param maxLength Longer lines are cut.
 */
export function compareYaml(before: string, after: string, maxLength = 116): ComparedLine[] {
  const lines = compareLines(before.trimEnd().split('\n'), after.trimEnd().split('\n'))
  const kept = new Set<number>()
  for (const [index, { mark }] of lines.entries())
    if (mark !== ' ')
      for (const near of [index - 1, index, index + 1].filter(near => lines[near]))
        for (const line of [near, ...parents(lines, near)]) kept.add(line)
  return lines
    .filter((_, index) => kept.has(index))
    .map(({ mark, text }) => ({ mark, text: text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text }))
}

/** Returns the indexes of the keys that a line is under. */
function parents(lines: ComparedLine[], index: number): number[] {
  const indent = ({ text }: ComparedLine): number => text.search(/[^ ]|$/)
  const { mark } = lines[index]!
  const found: number[] = []
  let smallest = indent(lines[index]!)
  for (let above = index - 1; above >= 0 && smallest > 0; above--) {
    const line = lines[above]!
    if (line.text.trim() === '' || indent(line) >= smallest || (line.mark !== ' ' && line.mark !== mark)) continue
    smallest = indent(line)
    found.push(above)
  }
  return found
}

/** Compares two lists of lines by their longest common subsequence. */
function compareLines(before: string[], after: string[]): ComparedLine[] {
  // The lengths of the longest common subsequences of all pairs of rests.
  const common = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0))
  for (let i = before.length - 1; i >= 0; i--)
    for (let j = after.length - 1; j >= 0; j--)
      common[i]![j] =
        before[i] === after[j] ? common[i + 1]![j + 1]! + 1 : Math.max(common[i + 1]![j]!, common[i]![j + 1]!)
  const lines: ComparedLine[] = []
  let [i, j] = [0, 0]
  while (i < before.length || j < after.length) {
    if (i < before.length && before[i] === after[j]) {
      lines.push({ mark: ' ', text: before[i]! })
      i++
      j++
    } else if (i < before.length && (j >= after.length || common[i + 1]![j]! >= common[i]![j + 1]!))
      lines.push({ mark: '-', text: before[i++]! })
    else lines.push({ mark: '+', text: after[j++]! })
  }
  return lines
}
