import type { Command } from 'commander'
import colors from 'picocolors'
import { LabError } from '../../stacks/error.ts'
import { print, printJson } from '../output.ts'
import { type PlannedResource, plan } from '../plan/engine.ts'
import { readSections } from '../settings.ts'

export function register(program: Command): void {
  program
    .command('plan')
    .description('show what `lab up` would make; needs neither Docker nor a cluster')
    .option('--json', 'print every resource with its inputs as JSON; secrets are hidden')
    .addHelpText('after', '\nExample:\n  ./lab plan --json | jq -r ".[].urn"')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { resources, errors } = await plan(readSections())
      if (errors.length > 0) throw LabError.parse(errors[0]!) ?? new Error(errors.join('\n'))
      if (json) printJson(resources)
      else show(resources)
    })
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
