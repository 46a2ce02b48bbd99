import type { Command } from 'commander'
import { loadContext } from '../context/context.ts'
import { kernelDecision } from '../kernel/decision.ts'
import { ensureStack } from '../pulumi/stack.ts'
import { chartsOf, ensureCharts } from '../supplies/charts.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('env')
    .description('print what plain pulumi, kubectl and kind need to work on this lab; fetches what is missing')
    .option('--json', 'print it as JSON instead of shell commands')
    .addHelpText('after', '\nExample:\n  eval "$(./lab env)" && pulumi preview')
    .action(async ({ json = false }: { json?: boolean }) => {
      const { settings, lock, env } = await loadContext()
      await Promise.all([
        ensureCharts(lock, chartsOf(settings)),
        kernelDecision({ cluster: settings.cluster }),
        ensureStack(env),
      ])
      if (json) return printJson(env)
      for (const [name, value] of Object.entries(env)) print(`export ${name}=${quote(value)}`)
    })
}

const quote = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`
