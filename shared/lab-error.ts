import { labCommand } from './stack.ts'

/** The lines of an error that the user can fix. */
export interface LabErrorLines {
  /** A full clause, as in "Port 3000 is in use by node (pid 20193)". */
  found: string
  /** What the lab needs instead. Left out where `found` and `next` already say it. */
  expected?: string
  /** A command to paste, or one short instruction where no command helps. */
  next: string
  /** 1 for a state of the machine or the lab (default), 2 for wrong usage of a command. */
  exitCode?: 1 | 2
  cause?: unknown
}

/**
 * A mistake that the user can fix. It is printed as three lines (`Error`, `Expected`, `Fix`) without a stack trace.
 * Anything else that is thrown is a bug in the lab.
 */
export class LabError extends Error {
  override name = 'LabError'
  /**
   * Makes Pulumi print the message without a stack, like its own RunError. Loading Pulumi's SDK for that class takes
   * 0.5 s.
   */
  readonly __pulumiRunError = true
  readonly found: string
  /** Empty where there is nothing to add. */
  readonly expected: string
  readonly next: string
  readonly exitCode: 1 | 2

  constructor({ found, expected = '', next, exitCode = 1, cause }: LabErrorLines) {
    const lines = { found: oneLine(found), expected: oneLine(expected), next: oneLine(onThisStack(next)) }
    super(printed(lines).join('\n  '), { cause })
    this.found = lines.found
    this.expected = lines.expected
    this.next = lines.next
    this.exitCode = exitCode
  }

  /** Returns the lines as a terminal shows them. */
  lines(): string[] {
    return printed(this)
  }

  /** Reads an error back from the output of another program; undefined where there is none. */
  static parse(text: string): LabError | undefined {
    const match = /Error {5}(?<found>.+)\n(?:\s*Expected {2}(?<expected>.+)\n)?\s*Fix {7}(?<next>.+)/.exec(text)
    return match ? new LabError(match.groups as { found: string; expected?: string; next: string }) : undefined
  }
}

const printed = ({ found, expected, next }: Pick<LabErrorLines, 'found' | 'expected' | 'next'>): string[] => [
  `Error     ${found}`,
  ...(expected ? [`Expected  ${expected}`] : []),
  `Fix       ${next}`,
]

/** Names the stack in each command of the lab that does not name one, so that a pasted fix changes this stack. */
const onThisStack = (text: string): string => text.replaceAll(/\.\/lab (?!--stack )/g, `${labCommand()} `)

/** Removes line breaks and terminal escape codes, which names and values from files can contain. */
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()
