import type { Command } from 'commander'
import { shellQuote } from '../../shared/shell-quote.ts'
import { loadContext } from '../context/context.ts'
import { kernelDecision } from '../kernel/decision.ts'
import { ensureStack } from '../pulumi/stack.ts'
import { ensureCharts, requiredCharts } from '../supplies/charts.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('env')
    .description(
      'Print the environment in which plain pulumi, kubectl and kind use this lab; downloads what is missing',
    )
    .option('--json', 'Print JSON instead of shell commands')
    .addHelpText('after', '\nExample:\n  eval "$(./lab env)" && pulumi preview')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { settings, lock, env } = await loadContext()
      await Promise.all([
        ensureCharts(lock, requiredCharts(settings)),
        kernelDecision({ cluster: settings.cluster, env }),
        ensureStack(env),
      ])
      if (json) return printJson(env)
      for (const [name, value] of Object.entries(env)) print(`export ${name}=${shellQuote(value)}`)
    })
}
