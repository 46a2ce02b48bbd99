import type { Command } from 'commander'
import { accessByService } from '../../shared/addresses.ts'
import { secretNamespace } from '../../shared/settings/named-secrets.ts'
import { labCommand, stackPath } from '../../shared/stack.ts'
import { type UpResult, upLab } from '../lab/up.ts'
import { colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('up')
    .description('Start the lab, or apply changed settings to it')
    .option('--json', 'Print the result as JSON, without progress')
    .option('--timeline <file>', 'Write what took how long as a Chrome trace, for https://ui.perfetto.dev')
    .addHelpText('after', '\nExample:\n  ./lab up --json | jq -r .source\n  ./lab up --timeline up.json')
    .action(async ({ json = false, timeline }: { json?: boolean; timeline?: string }) => {
      const result = await upLab({ silent: json, ...(timeline !== undefined && { timeline }) })
      if (json) printJson(result)
      else showSummary(result)
    })
}

function showSummary({ settings, source, why, seconds, changes, mended, remembered }: UpResult): void {
  const { grafana } = settings
  print()
  for (const line of mended) print(colors.dim(`repaired: ${line}`))
  for (const line of remembered) print(colors.dim(line))
  const counts = Object.entries(changes).flatMap(([op, count]) => (op === 'same' ? [] : `${count} ${op}`))
  print(colors.green(`The lab is up, ${seconds.toFixed(1)} s`) + colors.dim(` (${counts.join(', ') || 'no changes'})`))
  print()
  for (const [name, address] of Object.entries(accessByService(settings))) print(`  ${name.padEnd(12)} ${address}`)
  print()
  print(`  ${signIn(grafana)}`)
  print(`  Event source: ${colors.bold(source)} (${why})`)
  const lab = labCommand()
  print(`  Next: ${lab} verify, ${lab} status, ${lab} down`)
}

/** Says how to sign in to Grafana. */
function signIn({ user, password, adminSecret }: UpResult['settings']['grafana']): string {
  if (adminSecret) return `Sign in to Grafana as the user in the Secret ${secretNamespace}/${adminSecret}`
  const where = password ? 'as set in grafana.password' : `cat ${stackPath('grafana-password')}`
  return `Sign in to Grafana as ${colors.bold(user)}, password: ${where}`
}
