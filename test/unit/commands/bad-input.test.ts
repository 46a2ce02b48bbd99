import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { parse } from 'yaml'
import { projectDir } from '../../../shared/paths.ts'
import { configNamespace } from '../../../shared/settings/config-commands.ts'
import { parseSettings } from '../../../shared/settings/parser.ts'
import { newFolder } from '../support/folders.ts'
import { type Answer, kinds } from './bad-input-kinds.ts'

// Common mistakes and the lab's exact answers: bad-input.yaml is meant to be read.

interface Case extends Answer {
  kind: string
  input: unknown
}

const cases = (
  parse(readFileSync(join(import.meta.dirname, 'bad-input.yaml'), 'utf8')) as Record<string, unknown>[]
).map(({ prints, exit = 1, ...rest }): Case => {
  const [[kind, input]] = Object.entries(rest) as [[string, unknown]]
  return { kind, input, prints: prints as string[], exit: exit as number }
})

vi.stubEnv('LAB_DIR', newFolder())

describe.each([...Map.groupBy(cases, ({ kind }) => kind)])('%s', (kind, list) => {
  test.each(list.map(each => [JSON.stringify(each.input).slice(0, 90), each] as const))(
    '%s prints the error in bad-input.yaml',
    async (_, { input, prints, exit }) => {
      expect(await kinds[kind]!(input as never)).toEqual({ prints, exit })
    },
  )
})

describe('the answers', () => {
  const errors = cases.flatMap(({ kind, prints }) => (kind === 'policy' ? [] : [prints]))
  const fixes = errors.map(prints => prints.at(-1)!.slice(10))

  test('cover more than 100 mistakes of every kind', () => {
    expect(cases.length).toBeGreaterThan(100)
    expect(new Set(cases.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)))
  })

  test('are short lines without a stack: Error, Expected unless it adds nothing, and Fix', () => {
    for (const prints of errors) {
      expect(prints.map(line => line.slice(0, 10)).join('|')).toMatch(/^Error {5}\|(Expected {2}\|)?Fix {7}$/)
      expect(prints.filter(line => line.length > 210 || /\n|^ {4}at |Error:|undefined|\[object/.test(line))).toEqual([])
    }
  })

  test('name commands that exist', () => {
    const commands = readdirSync(join(projectDir, 'scripts', 'commands')).map(file => file.replace(/\.ts$/, ''))
    const named = fixes.flatMap(fix => [...fix.matchAll(/\.\/lab ([a-z]+)/g)].map(([, name]) => name!))
    expect(named.length).toBeGreaterThan(60)
    for (const name of named) expect([...commands, 'ex']).toContain(name)
  })
})

describe('the fix for a wrong setting', () => {
  const wrong = cases
    .filter(({ kind }) => kind === 'settings')
    .map(({ input, prints }) => [prints.at(-1)!.slice(10), input] as const)

  test.each(wrong)('corrects it: %s', (fix, input) => {
    const settings = structuredClone(input) as Record<string, unknown>
    for (const command of fix.split(' && ')) pulumiConfig(command, settings)
    expect(() => parseSettings(settings)).not.toThrow()
  })
})

/** A fake of `./lab pulumi config set|rm --path`: changes the settings as the command changes the stack's. */
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
