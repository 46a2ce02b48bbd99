import type { Command } from 'commander'
import colors from 'picocolors'
import { parse } from 'yaml'
import { LabError } from '../../shared/lab-error.ts'
import { readSections } from '../../shared/settings/stack-file.ts'
import { type PlannedResource, plan } from '../plan/fake-engine.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('plan')
    .description('show what `lab up` would make; needs neither Docker nor a cluster')
    .option('--json', 'print every resource with its inputs as JSON; secrets are hidden')
    .option('--set <setting=value>', 'with this setting instead; may be given several times', append, [])
    .addHelpText(
      'after',
      `
Examples:
  ./lab plan --json | jq -r ".[].urn"
  ./lab plan --set tetragon.runtimeHooks=true --set tetragon.source=live`,
    )
    .action(async ({ json = false, set }: { json?: boolean; set: string[] }) => {
      const { resources, errors } = await plan(withSettings(readSections(), set))
      if (errors.length > 0) throw LabError.parse(errors[0]!) ?? new Error(errors.join('\n'))
      if (json) printJson(resources)
      else show(resources)
    })
}

const append = (value: string, before: string[]): string[] => [...before, value]

/**
 * Sections of settings with some in place of their own.
 * @param changes As in `tetragon.runtimeHooks=true`; a value is read as in the file of settings.
 * @throws LabError for one that is not of this form. Whether there is such a setting shows when they are read.
 */
export function withSettings(sections: Record<string, unknown>, changes: string[]): Record<string, unknown> {
  const all = structuredClone(sections)
  for (const change of changes) {
    const [, path, value] = /^([A-Za-z]+(?:\.[A-Za-z]+)+)=(.*)$/.exec(change) ?? []
    if (path === undefined)
      throw new LabError({
        found: `--set ${change}`,
        expected: 'SETTING=VALUE, with a setting of docs/settings.md',
        next: './lab plan --set traffic.rate=5',
        exitCode: 2,
      })
    const keys = path.split('.')
    const last = keys.pop()!
    let at = all
    for (const key of keys) {
      at[key] ??= {}
      at = at[key] as Record<string, unknown>
    }
    at[last] = parse(value!)
  }
  return all
}

function show(resources: PlannedResource[]): void {
  const children = (urn: string) => resources.filter(resource => resource.parent === urn)
  const line = ({ urn, type, name }: PlannedResource, indent: string): void => {
    const short = type.replace(/^kubernetes:/, '').replace(/^(lab):[a-z]+:/, '')
    print(`${indent}${colors.bold(name)} ${colors.dim(short)}`)
    for (const child of children(urn)) line(child, `${indent}  `)
  }
  const stack = resources.find(resource => resource.type === 'pulumi:pulumi:Stack')!
  for (const top of children(stack.urn)) line(top, '')
  const real = resources.filter(resource => resource.custom && !resource.type.startsWith('pulumi:providers:'))
  print(`\n${real.length} resources. Make them: ./lab up`)
}
