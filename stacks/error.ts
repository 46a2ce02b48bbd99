/**
 * A mistake or a lack that is the user's business: what was found, what was expected, and the command that comes next.
 * Whoever catches one prints those lines and no stack. Everything else that is thrown is a bug in the lab.
 */
export class LabError extends Error {
  override name = 'LabError'
  readonly found: string
  readonly expected: string
  readonly next: string
  /** 1 for a state of the machine or the lab, 2 for wrong usage of a command. */
  readonly exitCode: 1 | 2

  constructor(says: { found: string; expected: string; next: string; exitCode?: 1 | 2; cause?: unknown }) {
    super(`${says.found}; expected ${says.expected}; next: ${says.next}`, { cause: says.cause })
    this.found = says.found
    this.expected = says.expected
    this.next = says.next
    this.exitCode = says.exitCode ?? 1
  }

  /** The three lines as a terminal shows them. */
  lines(): string[] {
    return [`found     ${this.found}`, `expected  ${this.expected}`, `next      ${this.next}`]
  }
}
