import type { Command } from 'commander'
import colors from 'picocolors'
import { whereToLook } from '../../shared/addresses.ts'
import { labPath } from '../../shared/paths.ts'
import { type UpResult, upLab } from '../lab/up.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('up')
    .description('stand the lab up, or bring it in line with the settings; does nothing where nothing is to be done')
    .option('--json', 'print the result as JSON and no progress')
    .addHelpText('after', '\nExample:\n  ./lab up && open http://localhost:3000')
    .action(async ({ json = false }: { json?: boolean }) => {
      const result = await upLab({ silent: json })
      if (json) printJson(result)
      else summary(result)
    })
}

function summary({ settings, source, why, seconds, changes, mended, remembered }: UpResult): void {
  const { grafana } = settings
  print()
  for (const line of mended) print(colors.dim(`mended: ${line}`))
  for (const line of remembered) print(colors.dim(line))
  const done = Object.entries(changes).filter(([op]) => op !== 'same')
  print(
    colors.green(`The lab is up, ${seconds.toFixed(1)} s`) +
      colors.dim(done.length ? ` (${done.map(([op, count]) => `${count} ${op}`).join(', ')})` : ' (nothing to do)'),
  )
  print()
  for (const [name, address] of Object.entries(whereToLook(settings))) print(`  ${name.padEnd(12)} ${address}`)
  print()
  print(
    `  sign in to Grafana as ${colors.bold(grafana.user)}, password: ${grafana.password ? 'the one you set' : `cat ${labPath('grafana-password')}`}`,
  )
  print(`  events: ${colors.bold(source)} (${why})`)
  print(`  next: ./lab verify, ./lab status, ./lab down`)
}
