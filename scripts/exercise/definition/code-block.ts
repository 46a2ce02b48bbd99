/** A fenced block with commands, or with a file to write. */
export interface CodeBlock {
  kind: 'code'
  /** `bash` is run; `yaml` with a `file` is written. */
  language: 'bash' | 'yaml'
  code: string
  line: number
  /** The task that the block does. Its check fails before the first such block and passes after the last. */
  task?: string
  /** For `yaml`: the file to write, within the project's folder. */
  file?: string
  /** The commands must end with an error. */
  expectError: boolean
  /** Seconds after which the commands are interrupted, because they do not end on their own. */
  seconds?: number
  /** Seconds after which the commands have failed. Default: 2 minutes. */
  timeout?: number
  /** Why the block is not run by the test. */
  noTest?: string
  /** Outputs that are always the same. */
  outputs: ExpectedOutput[]
  /** The command is a code span in a task's quote, not a fenced block. */
  span: boolean
  /** What is wrong with the block's attributes. */
  problem?: string
}

/** An output as the text shows it: lines in order, with `…` for anything. */
interface ExpectedOutput {
  text: string
  /** The event source that prints it; absent when both do. */
  source?: 'live' | 'replay'
}

type Attributes = Map<string, string>

/** Parses a code block's info string: its language and its attributes. */
export function parseInfoString(info: string): { language: string; attributes: Attributes } {
  const [, language = '', rest = ''] = /^(\S*)\s*(.*)$/s.exec(info.trim())!
  const attributes: Attributes = new Map()
  for (const [, name, quoted, plain] of rest.matchAll(/([a-z-]+)(?:=(?:"([^"]*)"|(\S+)))?/g))
    attributes.set(name!, quoted ?? plain ?? '')
  return { language, attributes }
}

const knownAttributes = {
  bash: ['task', 'expect-error', 'for', 'timeout', 'no-test', 'reason'],
  yaml: ['task', 'file'],
}

/** Returns a code block with its attributes, and what is wrong with them. */
export function parseCodeBlock(
  language: CodeBlock['language'],
  text: string,
  line: number,
  attributes: Attributes,
): CodeBlock {
  return {
    kind: 'code',
    language,
    code: text,
    line,
    task: attributes.get('task'),
    file: attributes.get('file'),
    expectError: attributes.has('expect-error'),
    seconds: secondsOf(attributes, 'for'),
    timeout: secondsOf(attributes, 'timeout'),
    outputs: [],
    span: false,
    noTest: attributes.has('no-test') ? attributes.get('reason') : undefined,
    problem: attributeProblem(language, attributes),
  }
}

function secondsOf(attributes: Attributes, name: string): number | undefined {
  const digits = /^(\d+)s$/.exec(attributes.get(name) ?? '')?.[1]
  return digits === undefined ? undefined : Number(digits)
}

function attributeProblem(language: CodeBlock['language'], attributes: Attributes): string | undefined {
  const known = knownAttributes[language]
  const unknown = [...attributes.keys()].find(name => !known.includes(name))
  if (unknown) return `the attribute ${unknown} is unknown; known are ${known.join(', ')}`
  if (attributes.has('no-test') && !attributes.get('reason')) return 'no-test needs a reason="…"'
  if (['for', 'timeout'].some(name => attributes.has(name) && secondsOf(attributes, name) === undefined))
    return 'for and timeout need seconds: for=5s'
  const file = attributes.get('file')
  if (file !== undefined && !/^work\/(?!.*\.\.)\S+$/.test(file))
    return 'a file must be in the student’s folder: file=work/…'
  return undefined
}
