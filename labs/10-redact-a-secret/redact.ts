import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { RE2JS } from 're2js'

// Applies redaction filters to the commands in commands.json as Tetragon would, so that students can try filters
// without an agent. An expression replaces only its groups, and only in programs that binary_regex matches. Each
// command is tried again with another user and password, because a filter must not contain the secret itself.
//
//   node redact.ts FILTERS.json [PROGRAM]     all commands, or those that contain PROGRAM; exits 1 if one is not good

interface Filter {
  binary_regex?: string[]
  redact?: string[]
}

interface Command {
  binary: string
  arguments: string
  user?: string
  secret?: string
}

const stars = '*****'

function fail(problem: string): never {
  console.log(problem)
  process.exit(1)
}

/** Compiles with RE2, as the agent does: an agent with an expression that RE2 refuses does not start. */
function compile(expression: string): RE2JS {
  try {
    return RE2JS.compile(expression)
  } catch (error) {
    return fail(`refused: RE2 says ${(error as Error).message}`)
  }
}

function readFilters(file: string): Filter[] {
  if (!existsSync(file)) fail(`${basename(file)} does not exist yet`)
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (Array.isArray(value)) return value as Filter[]
    return fail('not a list: put the filters in brackets, [{ "redact": ["…"] }]')
  } catch (error) {
    return fail(`not valid JSON: ${(error as Error).message}`)
  }
}

/** Replaces each group by stars. A group inside another one is replaced together with the outer one. */
function replaceGroups(text: string, pattern: RE2JS): string {
  const match = pattern.matcher(text)
  let result = ''
  let end = 0
  while (match.find())
    for (let group = 1; group <= match.groupCount(); group++) {
      const start = match.start(group)
      if (start < end) continue
      result += text.slice(end, start) + stars
      end = match.end(group)
    }
  return result + text.slice(end)
}

const [file, program = ''] = process.argv.slice(2)
if (!file) fail('no filters given: node redact.ts FILTERS.json [PROGRAM]')
const filters = readFilters(file).map(({ binary_regex = [], redact = [] }) => ({
  binaries: binary_regex.map(compile),
  patterns: redact.map(compile),
}))

function redact({ binary, arguments: text }: Command): string {
  return filters
    .filter(({ binaries }) => binaries.length === 0 || binaries.some(pattern => pattern.matcher(binary).find()))
    .flatMap(({ patterns }) => patterns)
    .reduce(replaceGroups, text)
}

const expected = ({ arguments: text, secret }: Command): string => (secret ? text.replaceAll(secret, stars) : text)

/** Returns the same command with another user and password. */
function withOtherSecret(command: Command): Command {
  const user = 'zoe'
  const secret = 'Tr0ub4dor!'
  let text = command.arguments
  if (command.user) text = text.replaceAll(command.user, user)
  if (command.secret) text = text.replaceAll(command.secret, secret)
  return { ...command, arguments: text, secret: command.secret && secret }
}

function judge(command: Command): { good: boolean; line: string } {
  const other = withOtherSecret(command)
  let text = redact(command)
  let verdict = 'good'
  if (text !== expected(command)) verdict = command.secret && text.includes(command.secret) ? 'leaks' : 'too much'
  else if (redact(other) !== expected(other)) {
    verdict = 'hard-coded'
    text = redact(other)
  }
  return { good: verdict === 'good', line: `${verdict.padEnd(10)}  ${command.binary} ${text}` }
}

const commands = JSON.parse(readFileSync(join(import.meta.dirname, 'commands.json'), 'utf8')) as Command[]
const results = commands.filter(({ binary, arguments: text }) => `${binary} ${text}`.includes(program)).map(judge)
for (const { line } of results) console.log(line)

const withoutGroup = filters.flatMap(({ patterns }) => patterns).find(pattern => pattern.groupCount() === 0)
if (withoutGroup) console.log(`no group: ${withoutGroup.pattern()} matches, but replaces nothing`)

const bad = results.filter(({ good }) => !good)
const firstProblem = bad[0] ? `; first problem: ${bad[0].line}` : ''
console.log(`${results.length - bad.length} of ${results.length} are good${firstProblem}`)
process.exit(bad.length === 0 ? 0 : 1)
