/**
 * A mistake or a lack that is the user's business: what was found, what was expected, and the command that comes next.
 * Whoever catches one prints those lines and no stack. Everything else that is thrown is a bug in the lab.
 */
export class LabError extends Error {
  override name = 'LabError'
  /** What Pulumi's runner looks for (its RunError) to print a message and no stack. Set here, because loading its SDK takes half a second. */
  readonly __pulumiRunError = true
  readonly found: string
  readonly expected: string
  readonly next: string
  /** 1 for a state of the machine or the lab, 2 for wrong usage of a command. */
  readonly exitCode: 1 | 2

  constructor(says: { found: string; expected: string; next: string; exitCode?: 1 | 2; cause?: unknown }) {
    const [found, expected, next] = [says.found, says.expected, says.next].map(oneLine) as [string, string, string]
    super(`found ${found}\n  expected  ${expected}\n  next      ${next}`, { cause: says.cause })
    this.found = found
    this.expected = expected
    this.next = next
    this.exitCode = says.exitCode ?? 1
  }

  /** The three lines as a terminal shows them. */
  lines(): string[] {
    return [`found     ${this.found}`, `expected  ${this.expected}`, `next      ${this.next}`]
  }

  /** Reads an error back from what another program printed of it, where there is one. */
  static parse(text: string): LabError | undefined {
    const match = /found {1,5}(.+)\n\s*expected {2}(.+)\n\s*next {6}(.+)/.exec(text)
    return match ? new LabError({ found: match[1]!, expected: match[2]!, next: match[3]! }) : undefined
  }
}

/** Names and values from files may hold line ends, and codes that a terminal obeys. */
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()
