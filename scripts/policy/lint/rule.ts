import type { Path } from '../../../shared/validation/yaml-source.ts'
import type { Features } from '../../kernel/features.ts'
import type { Policy } from '../model/policy-model.ts'

/**
 * `error`: the API server or the agent refuses the policy, or it does not do what it says. `warn`: it may be intended.
 * `note`: it matters only to the lab's own pipeline.
 */
export type Level = 'error' | 'warn' | 'note'

/** The facts about the kernel that a policy is for. Checks that need a missing fact are skipped. */
export interface Kernel extends Partial<Features> {
  /** As in 6.1.0-28-cloud-amd64. */
  release?: string
  /** As `uname -m` prints it: x86_64, aarch64. */
  arch?: string
  /** All function names in /proc/kallsyms, and its system calls without the architecture's prefix. */
  symbols?: ReadonlySet<string>
  /** All tracepoints, as `subsystem/event`. */
  tracepoints?: ReadonlySet<string>
}

export interface LintOptions {
  kernel?: Kernel
  /** Whether the file is not for the lab's pipeline. What matters only there becomes a note. */
  foreign?: boolean
}

/** Adds a finding at a path of the document. The level defaults to that of the rule. */
export type Report = (path: Path, message: string, fix: string, level?: Level) => void

/** One mistake that a policy can have. */
export interface Rule {
  /** Also the key of its source in rule-sources.ts, and the folder of its examples in test/policies/rules/. */
  id: string
  level: Level
  /** Why the mistake matters. */
  why: string
  check(policy: Policy, report: Report, options: LintOptions): void
}

export const capitalize = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
