import type { Command } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { readStackConfig } from '../../shared/settings/stack-file.ts'
import { labCommand } from '../../shared/stack.ts'
import type { PlannedResource } from '../plan/fake-engine.ts'
import { overrideSettings } from '../plan/override-settings.ts'
import { planLab } from '../plan/plan-lab.ts'
import { colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('plan')
    .description('Show the resources that `lab up` would create; needs neither Docker nor a cluster')
    .option('--json', 'Print every resource with its inputs as JSON, with secrets hidden')
    .option('--set <setting=value>', 'Plan with this setting; can be repeated', append)
    .addHelpText(
      'after',
      `
Examples:
  ./lab plan --json | jq -r ".[].urn"
  ./lab plan --set tetragon.runtimeHooks=true --set tetragon.source=live`,
    )
    .action(async ({ json = false, set = [] }: { json?: boolean; set?: string[] }) => {
      const { resources, errors } = await planLab(overrideSettings(readStackConfig(), set))
      if (errors.length > 0) throw LabError.parse(errors[0]!) ?? new Error(errors.join('\n'))
      if (json) printJson(resources)
      else showTree(resources)
    })
}

const append = (value: string, values: string[] = []): string[] => [...values, value]

function showTree(resources: PlannedResource[]): void {
  const childrenOf = (urn: string) => resources.filter(resource => resource.parent === urn)
  const showResource = ({ urn, type, name }: PlannedResource, indent: string): void => {
    const shortType = type.replace(/^kubernetes:/, '').replace(/^(lab):[a-z]+:/, '')
    print(`${indent}${colors.bold(name)} ${colors.dim(shortType)}`)
    for (const child of childrenOf(urn)) showResource(child, `${indent}  `)
  }
  const stack = resources.find(resource => resource.type === 'pulumi:pulumi:Stack')!
  for (const resource of childrenOf(stack.urn)) showResource(resource, '')
  const created = resources.filter(resource => resource.custom && !resource.type.startsWith('pulumi:providers:'))
  print(`\n${created.length} resources. To create them: ${labCommand()} up`)
}
