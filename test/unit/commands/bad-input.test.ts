import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { projectDir } from '../../../shared/paths.ts'
import { configNamespace, parseSettings } from '../../../shared/settings/schema.ts'
import { type Answer, answers } from '../support/answers.ts'
import { newFolder } from '../support/publisher.ts'

// What people get wrong, and all that they are told: bad-input.yaml is written to be read.

interface Case extends Answer {
  kind: string
  given: unknown
}

const cases = (
  parse(readFileSync(join(import.meta.dirname, 'bad-input.yaml'), 'utf8')) as Record<string, unknown>[]
).map(({ says, exit = 1, ...rest }): Case => {
  const [[kind, given]] = Object.entries(rest) as [[string, unknown]]
  return { kind, given, says: says as string[], exit: exit as number }
})

const before = process.env.LAB_DIR
beforeAll(() => {
  process.env.LAB_DIR = newFolder()
})
afterAll(() => {
  if (before === undefined) delete process.env.LAB_DIR
  else process.env.LAB_DIR = before
})

describe.each([...Map.groupBy(cases, ({ kind }) => kind)])('%s', (kind, list) => {
  test.each(list.map(one => [JSON.stringify(one.given).slice(0, 90), one] as const))(
    '%s',
    async (_, { given, says, exit }) => {
      expect(await answers[kind]!(given as never)).toEqual({ says, exit })
    },
  )
})

describe('every answer', () => {
  const lines = cases.flatMap(({ kind, says }) => (kind === 'policy' ? [] : [says]))
  const nexts = lines.map(says => says[2]!.replace(/^next {6}/, ''))

  test('is there for forty mistakes and more', () => {
    expect(cases.length).toBeGreaterThan(100)
    for (const kind of Object.keys(answers))
      expect(
        cases.some(one => one.kind === kind),
        kind,
      ).toBe(true)
  })

  test('has three lines, none of them long, and no stack', () => {
    for (const says of lines) {
      expect(says.map(line => line.slice(0, 10))).toEqual(['Error     ', 'Expected  ', 'Fix       '])
      expect(says.filter(line => line.length > 210 || /\n|^ {4}at |Error:|undefined|\[object/.test(line))).toEqual([])
    }
  })

  test('ends with commands that there are', () => {
    const commands = readdirSync(join(projectDir, 'scripts', 'commands')).map(file => file.replace(/\.ts$/, ''))
    const named = nexts.flatMap(next => [...next.matchAll(/\.\/lab ([a-z]+)/g)].map(([, name]) => name!))
    expect(named.length).toBeGreaterThan(60)
    for (const name of named) expect([...commands, 'ex']).toContain(name)
  })
})

describe('the command that comes next', () => {
  const wrong = cases.filter(({ kind }) => kind === 'settings').map(({ given, says }) => [says[2]!, given] as const)

  test.each(wrong)('%s mends it', (next, given) => {
    const mended = structuredClone(given) as Record<string, unknown>
    for (const command of next.slice(10).split(' && ')) pulumiConfig(command, mended)
    let left: unknown
    try {
      parseSettings(mended)
    } catch (error) {
      left = error
    }
    expect(left).toBeUndefined()
  })
})

/** Does what `./lab pulumi config set|rm --path` would do to the stack's settings. A fake: Pulumi itself is asked by the end-to-end tests. */
function pulumiConfig(command: string, settings: Record<string, unknown>): void {
  const words = command.match(/'[^']*'|\$\([^)]*\)|\S+/g)!.map(word => word.replaceAll("'", ''))
  expect(words.slice(0, 3)).toEqual(['./lab', 'pulumi', 'config'])
  const [verb, , name = '', value = '', ...options] = words.slice(3)
  expect(name.startsWith(`${configNamespace}:`)).toBe(true)
  const keys = name.slice(configNamespace.length + 1).match(/[^.[\]"]+/g)!
  const last = keys.pop()!
  const holder = keys.reduce<Record<string, unknown>>((at, key) => {
    at[key] ??= {}
    return at[key] as Record<string, unknown>
  }, settings)
  if (verb === 'rm') delete holder[last]
  else
    holder[last] = options.includes('string') || !/^(-?\d+(\.\d+)?|true|false)$/.test(value) ? value : JSON.parse(value)
}
