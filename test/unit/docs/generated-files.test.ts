import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { Command } from 'commander'
import { beforeAll, describe, expect, test } from 'vitest'
import { allDashboards } from '../../../dashboards/index.ts'
import { panelsOf } from '../../../dashboards/panel-queries.ts'
import { commandsPage } from '../../../scripts/docs/commands-page.ts'
import { dashboardsPage } from '../../../scripts/docs/dashboards-page.ts'
import { generatedFiles } from '../../../scripts/docs/generate.ts'
import { loadProgram } from '../../../scripts/lab.ts'
import { projectDir } from '../../../shared/paths.ts'

const files = Object.entries(generatedFiles).map(([file, text]) => [relative(projectDir, file), file, text] as const)

test.each(files)('%s matches the code that it is generated from', async (_name, file, text) => {
  expect(readFileSync(file, 'utf8'), 'run: npm run docs').toBe(await text())
})

describe('the page about the commands', () => {
  let page: string
  let commands: Command[]
  beforeAll(async () => {
    page = await commandsPage()
    const withSubcommands = (command: Command): Command[] => [command, ...command.commands.flatMap(withSubcommands)]
    commands = (await loadProgram()).commands.flatMap(withSubcommands)
  })
  /** Returns the lines after the heading and the usage. */
  const sectionOf = (command: Command): string => {
    const name = command.parent!.parent ? `${command.parent!.name()} ${command.name()}` : command.name()
    const [, section] = `${page}\n## `.split(`\n## ${name}\n`)
    const [, , ...rest] = section!.split('\n## ')[0]!.split('```')
    return rest.join('```')
  }

  test('has a section for every command, with its arguments and its options', () => {
    expect(commands.length).toBeGreaterThan(30)
    for (const command of commands) {
      const section = sectionOf(command)
      for (const { flags } of command.options) expect(section, command.name()).toContain(`| \`${flags}\` |`)
      for (const argument of command.registeredArguments)
        expect(section, command.name()).toMatch(new RegExp(`\\| \`.${argument.name()}`))
    }
  })

  test('has an example for every command', () => {
    for (const command of commands) expect(sectionOf(command), command.name()).toContain('./lab')
  })
})

test('the page about the dashboards explains every panel', () => {
  const page = dashboardsPage()
  for (const { dashboard } of allDashboards()) {
    expect(page).toContain(`## ${dashboard.title}\n`)
    for (const { title, description } of panelsOf(dashboard)) {
      expect(description, title).toBeTruthy()
      expect(page).toContain(`| ${title} | `)
    }
  }
})
