import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Finding, lintPolicy } from '../../../scripts/policy/lint/lint.ts'
import { projectDir } from '../../../shared/paths.ts'

/** Reads a policy from test/policies. */
export const readTestPolicy = (file: string): string => readFileSync(join(projectDir, 'test', 'policies', file), 'utf8')

/** Returns a policy for one app with the given hook, whose text must be indented by six spaces. */
export const policyWithHook = (hook: string): string => `apiVersion: cilium.io/v1alpha1
kind: TracingPolicyNamespaced
metadata: { name: example, namespace: application }
spec:
  podSelector: { matchLabels: { app: visitor } }
  kprobes:
    - tags: [severity.info]
${hook}`

/** Summarizes findings as `LINE LEVEL RULE`. */
export const summarize = (findings: Finding[]): string[] =>
  findings.map(({ line, level, rule }) => `${line} ${level} ${rule}`)

/** Returns the ids of the rules that a policy breaks. */
export const brokenRules = (text: string): string[] => lintPolicy(text, 'policy.yaml').map(({ rule }) => rule)
