import type { Path } from '../../../shared/validation/yaml-source.ts'
import type { Features } from '../../kernel/features.ts'
import type { Policy } from '../model/policy-model.ts'

export type Level = 'error' | 'warn'

/** What is known about the kernel that a policy is for. What is left out is not checked. */
export interface Kernel extends Partial<Features> {
  /** All function names of /proc/kallsyms. */
  symbols?: ReadonlySet<string>
}

export interface LintOptions {
  kernel?: Kernel
}

/** Says that something is wrong at a place; the level is the rule's own unless given. */
export type Report = (path: Path, message: string, fix: string, level?: Level) => void

/** One thing that can be wrong with a policy. */
export interface Rule {
  id: string
  level: Level
  /** Why it matters: the same wherever it is found. */
  why: string
  check(policy: Policy, report: Report, options: LintOptions): void
}
