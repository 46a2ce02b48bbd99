import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { projectDir } from '../../../shared/paths.ts'
import { runLab } from '../support/run-lab.ts'

// Conventions that every command follows.

const folder = join(projectDir, 'scripts', 'commands')
const names = readdirSync(folder).map(file => file.replace(/\.ts$/, ''))

/** Commands that pass everything to another program. */
const passThrough = ['kubectl', 'pulumi', 'tetra', 'logs']

/** Commands whose only result is text for a person, or files. */
const withoutJson = [
  'class open',
  'class join',
  'class leave',
  'completion completion',
  'exercise text',
  'exercise new',
  'policy symbols',
]

async function load(name: string): Promise<Command[]> {
  const program = new Command('lab')
  const { register } = (await import(join(folder, `${name}.ts`))) as { register: (program: Command) => void }
  register(program)
  return [...program.commands]
}

function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: part => (text += part) })
  command.outputHelp()
  return text
}

const leaves = (command: Command): Command[] =>
  command.commands.length > 0 ? command.commands.flatMap(leaves) : [command]

describe.each(names)('lab %s', name => {
  it('is registered by the file of its name', async () => {
    expect((await load(name)).map(command => command.name())).toEqual([name])
  })

  it('has an example, and describes itself, its arguments and its options', async () => {
    for (const command of (await load(name)).flatMap(leaves)) {
      expect(helpOf(command), command.name()).toMatch(/^Examples?:\n {2}\S/m)
      const described = [command, ...command.registeredArguments, ...command.options]
      for (const { description } of described)
        expect(typeof description === 'function' ? command.description() : description, command.name()).toMatch(
          /^[A-Z]/,
        )
    }
  })

  it('prints JSON for scripts', async () => {
    if (passThrough.includes(name)) return
    for (const command of (await load(name)).flatMap(leaves)) {
      const options = command.options.map(option => option.long)
      if (!options.includes('--json')) expect(withoutJson).toContain(`${name} ${command.name()}`)
    }
  })
})

it.each([
  ['nonsense', './lab nonsense is not a command'],
  ['up --nope', './lab up has no option --nope'],
  ['logs nonsense --lines', '<count> is missing after --lines'],
  ['test nonsense', 'There is no test suite nonsense'],
])('lab %s exits with 2 and explains the mistake', async (words, found) => {
  const { exitCode, stderr, stdout } = await runLab(...words.split(' '))
  expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  expect(stderr.split('\n')[0]).toBe(`Error     ${found}`)
  expect(stderr).toMatch(/^Fix {7}\.\/lab/m)
  expect(stderr).not.toContain('    at ')
})

it('lab --help exits with 0 and lists every command', async () => {
  const { exitCode, stdout } = await execa(process.execPath, [join(projectDir, 'scripts', 'lab.ts'), '--help'])
  expect(exitCode).toBe(0)
  for (const name of names) expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'))
})

it('lab --version prints the version of package.json', async () => {
  const { version } = JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as { version: string }
  expect(await runLab('--version')).toMatchObject({ exitCode: 0, stdout: `${version}\n` })
})

it('lab policy bundle is an alias of lab policy kustomize', async () => {
  const { stdout } = await runLab('policy', 'bundle', '--help')
  expect(stdout).toMatch(/^Usage: lab policy kustomize\|bundle /)
})

describe('lab test', () => {
  it('lists the suites in a table', async () => {
    const { stdout } = await runLab('test', '--help')
    expect(stdout).toMatch(/^ {2}Suite {2,}Checks {2,}Needs\n {2}unit {2,}\S.+ {2}Node only$/m)
    for (const suite of ['pipeline', 'faults', 'load', 'offline', 'documents', 'dashboards', 'site', 'e2e'])
      expect(stdout).toMatch(new RegExp(`^ {2}${suite} {2,}\\S`, 'm'))
  })

  it('prints only JSON with --json', async () => {
    const lab = join(projectDir, 'scripts', 'lab.ts')
    const file = 'test/unit/terminal/size-text.test.ts'
    const { stdout, exitCode } = await execa(process.execPath, [lab, 'test', 'unit', file, '--json'])
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      success: true,
      numFailedTests: 0,
      numPassedTests: expect.toSatisfy((count: number) => count > 0),
    })
  })
})
