import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { RE2JS } from 're2js'

// What Tetragon's redaction filters make of a few commands, to try filters without an agent: only the groups of an expression are replaced, and only where
// binary_regex, if there is one, matches the program. Says of each command whether a secret leaks or more than the secret is gone. A filter must not know the
// secret: each command is tried a second time with another user and password.
//
//   node redact.ts FILTERS.json [PROGRAM]     all commands, or those of which PROGRAM is a part; exits 1 when one is not as it should be

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

function stop(problem: string): never {
  console.log(problem)
  process.exit(1)
}

/** The agent's expressions are RE2's, which knows no looking around and no references back; it would not start with them. */
function expression(text: string): RE2JS {
  try {
    return RE2JS.compile(text)
  } catch (error) {
    return stop(`refused: RE2 says ${(error as Error).message}`)
  }
}

function readFilters(file: string): Filter[] {
  if (!existsSync(file)) stop(`no file ${basename(file)} yet`)
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (Array.isArray(value)) return value as Filter[]
    return stop('no list: filters stand in brackets, [{ "redact": ["…"] }]')
  } catch (error) {
    return stop(`not to be read: ${(error as Error).message}`)
  }
}

/** An expression's groups, from the left, in place of which there are stars; a group within another goes with it. */
function withStars(text: string, pattern: RE2JS): string {
  const match = pattern.matcher(text)
  let result = ''
  let done = 0
  while (match.find())
    for (let group = 1; group <= match.groupCount(); group++) {
      const from = match.start(group)
      if (from < done) continue
      result += text.slice(done, from) + stars
      done = match.end(group)
    }
  return result + text.slice(done)
}

const [file, program = ''] = process.argv.slice(2)
if (!file) stop('which filters? node redact.ts FILTERS.json [PROGRAM]')
const filters = readFilters(file).map(({ binary_regex = [], redact = [] }) => ({
  binaries: binary_regex.map(expression),
  patterns: redact.map(expression),
}))
const commands = JSON.parse(readFileSync(join(import.meta.dirname, 'commands.json'), 'utf8')) as Command[]

/** What is left to see of a command's arguments. */
function seen({ binary, arguments: given }: Command): string {
  let left = given
  for (const { binaries, patterns } of filters)
    if (binaries.length === 0 || binaries.some(pattern => pattern.matcher(binary).find()))
      for (const pattern of patterns) left = withStars(left, pattern)
  return left
}

const wanted = ({ arguments: given, secret }: Command): string => (secret ? given.replaceAll(secret, stars) : given)

/** The same command of somebody else. */
function another(command: Command): Command {
  const given = [command.user, command.secret].reduce<string>(
    (text, word, index) => (word ? text.replaceAll(word, ['zoe', 'Tr0ub4dor!'][index]!) : text),
    command.arguments,
  )
  return { ...command, arguments: given, secret: command.secret && 'Tr0ub4dor!' }
}

const bad: string[] = []
let all = 0
for (const command of commands) {
  const { binary, arguments: given, secret } = command
  if (!`${binary} ${given}`.includes(program)) continue
  all++
  const left = seen(command)
  const leftOfAnother = seen(another(command))
  const byHeart = left === wanted(command) && leftOfAnother !== wanted(another(command))
  const verdict = byHeart
    ? 'by heart'
    : left === wanted(command)
      ? 'good'
      : secret && left.includes(secret)
        ? 'leaks'
        : 'too much'
  const line = `${verdict.padEnd(8)}  ${binary} ${byHeart ? leftOfAnother : left}`
  if (verdict !== 'good') bad.push(line)
  console.log(line)
}
const groupless = filters.flatMap(({ patterns }) => patterns).find(pattern => pattern.groupCount() === 0)
if (groupless) console.log(`no group: ${groupless.pattern()} matches, but names nothing to be replaced`)
console.log(`${all - bad.length} of ${all} are good${bad.length === 0 ? '' : `; the first that is not: ${bad[0]}`}`)
process.exit(bad.length === 0 ? 0 : 1)
