import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { execa } from 'execa'
import { describe, expect, it } from 'vitest'
import { withSettings } from '../../../scripts/commands/plan.ts'
import { projectDir } from '../../../shared/paths.ts'

// What every command owes its user.

const folder = join(projectDir, 'scripts', 'commands')
const files = readdirSync(folder).filter(file => file.endsWith('.ts'))

/** Commands that hand everything on to another program, or only print what another wrote. */
const handsOn = ['kubectl', 'pulumi', 'tetra', 'logs']

async function load(file: string): Promise<Command[]> {
  const program = new Command('lab')
  const { register } = (await import(join(folder, file))) as { register: (program: Command) => void }
  register(program)
  return [...program.commands]
}

function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: part => {
      text += part
    },
    writeErr: part => {
      text += part
    },
  })
  command.outputHelp()
  return text
}

const leaves = (command: Command): Command[] =>
  command.commands.length > 0 ? command.commands.flatMap(leaves) : [command]

describe.each(files)('scripts/commands/%s', file => {
  it('registers what it is named after', async () => {
    const names = (await load(file)).map(command => command.name())
    expect(names).toContain(file.replace(/\.ts$/, ''))
  })

  it('shows an example in its help', async () => {
    for (const command of (await load(file)).flatMap(leaves)) {
      expect(helpOf(command), command.name()).toMatch(/Example/)
      expect(command.description().length, command.name()).toBeGreaterThan(10)
    }
  })

  it('prints JSON where a script would read it', async () => {
    for (const command of (await load(file)).flatMap(leaves)) {
      const top = file.replace(/\.ts$/, '')
      if (handsOn.includes(top)) continue
      const own = [...command.options, ...(command.parent?.options ?? [])].map(option => option.long)
      // What only shows a text to a person, or writes files, has no result to read.
      if (!own.includes('--json')) expect(withoutJson, `${top} ${command.name()}`).toContain(`${top} ${command.name()}`)
    }
  })
})

/** Commands whose only result is a text for a person. */
const withoutJson = ['class open', 'class join', 'class leave', 'exercise text', 'exercise new', 'report report']

describe('wrong usage', () => {
  const lab = (...args: string[]) =>
    execa(process.execPath, [join(projectDir, 'scripts', 'lab.ts'), ...args], { reject: false })

  it.each([[['nonsense']], [['up', '--nope']], [['logs', 'nonsense', '--lines']], [['test', 'nonsense']]])(
    '%j exits 2 and says what is right',
    async args => {
      const { exitCode, stderr } = await lab(...args)
      expect(exitCode).toBe(2)
      expect(stderr).toMatch(/--help|Usage|next/)
      expect(stderr).not.toContain('    at ')
    },
  )

  it('--help exits 0', async () => {
    const { exitCode, stdout } = await lab('--help')
    expect(exitCode).toBe(0)
    for (const name of [
      'up',
      'down',
      'status',
      'verify',
      'doctor',
      'plan',
      'env',
      'logs',
      'kubectl',
      'tetra',
      'pulumi',
    ])
      expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'))
  })
})

it('--version says which lab this is', async () => {
  const { exitCode, stdout } = await execa(process.execPath, [join(projectDir, 'scripts', 'lab.ts'), '--version'])
  expect(exitCode).toBe(0)
  expect(stdout).toBe(
    (JSON.parse(readFileSync(join(projectDir, 'package.json'), 'utf8')) as { version: string }).version,
  )
})

describe('lab plan --set', () => {
  it('puts a setting in place of another, as the file of settings would, and leaves the file alone', () => {
    const sections = { tetragon: { source: 'auto', runtimeHooks: false } }
    expect(withSettings(sections, ['tetragon.runtimeHooks=true', 'traffic.rate=5', 'cluster.name=lab-2'])).toEqual({
      tetragon: { source: 'auto', runtimeHooks: true },
      traffic: { rate: 5 },
      cluster: { name: 'lab-2' },
    })
    expect(sections.tetragon.runtimeHooks).toBe(false)
  })

  it.each(['tetragon', 'tetragon.source', '=live'])('refuses %s', change => {
    expect(() => withSettings({}, [change])).toThrow(/SETTING=VALUE/)
  })
})
