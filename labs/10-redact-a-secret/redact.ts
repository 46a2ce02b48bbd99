import { existsSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

// What Tetragon's redaction filters make of a few commands, to try filters without an agent: only the groups of an expression are replaced, and only where
// binary_regex, if there is one, matches the program. Says of each command whether a secret leaks or more than the secret is gone.
//
//   node redact.ts FILTERS.json [PROGRAM]     all commands, or those of which PROGRAM is a part; exits 1 when one is not as it should be

interface Filter {
  binary_regex?: string[]
  redact?: string[]
}

interface Command {
  binary: string
  arguments: string
  secret?: string
}

const stars = '*****'

function stop(problem: string): never {
  console.log(problem)
  process.exit(1)
}

/** The agent's expressions are RE2's, which knows no looking around and no references back; it would not start with them. */
function expression(text: string): RegExp {
  if (/\(\?<?[=!]|\\[1-9]/.test(text)) stop(`refused: ${text} looks around or back, which RE2 cannot`)
  try {
    return new RegExp(text, 'dg')
  } catch (error) {
    return stop(`refused: ${(error as Error).message}`)
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
function withStars(text: string, pattern: RegExp): string {
  const groups = [...text.matchAll(pattern)].flatMap(({ indices }) =>
    indices!.slice(1).filter(group => group !== undefined),
  )
  let result = ''
  let done = 0
  for (const [from, to] of groups) {
    if (from < done) continue
    result += text.slice(done, from) + stars
    done = to
  }
  return result + text.slice(done)
}

const [file, program = ''] = process.argv.slice(2)
if (!file) stop('which filters? node redact.ts FILTERS.json [PROGRAM]')
const filters = readFilters(file).map(({ binary_regex = [], redact = [] }) => ({
  binaries: binary_regex.map(text => new RegExp(expression(text).source)),
  patterns: redact.map(expression),
}))
const commands = JSON.parse(readFileSync(join(import.meta.dirname, 'commands.json'), 'utf8')) as Command[]

const bad: string[] = []
let all = 0
for (const { binary, arguments: given, secret } of commands) {
  if (!`${binary} ${given}`.includes(program)) continue
  all++
  let seen = given
  for (const { binaries, patterns } of filters)
    if (binaries.length === 0 || binaries.some(pattern => pattern.test(binary)))
      for (const pattern of patterns) seen = withStars(seen, pattern)
  const right = secret === undefined ? given : given.replaceAll(secret, stars)
  const verdict = seen === right ? 'good' : secret && seen.includes(secret) ? 'leaks' : 'too much'
  const line = `${verdict.padEnd(8)}  ${binary} ${seen}`
  if (verdict !== 'good') bad.push(line)
  console.log(line)
}
const groupless = filters.flatMap(({ patterns }) => patterns).find(({ source }) => !/(^|[^\\])\((?!\?)/.test(source))
if (groupless) console.log(`no group: ${groupless.source} matches, but names nothing to be replaced`)
console.log(`${all - bad.length} of ${all} are good${bad.length === 0 ? '' : `; the first that is not: ${bad[0]}`}`)
process.exit(bad.length === 0 ? 0 : 1)
