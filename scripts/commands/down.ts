import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { loadContext } from '../context/context.ts'
import { describeLab, downLab } from '../lab/down.ts'
import { colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('down')
    .description('Remove the lab: the cluster, its state, and everything in Docker except images')
    .option('-y, --yes', 'Do not ask for confirmation')
    .option('--json', 'Print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab down --yes')
    .action(async ({ yes = false, json = false }: { yes?: boolean; json?: boolean }) => {
      if (!yes && process.stdin.isTTY) await confirm()
      const result = await downLab()
      if (json) printJson(result)
      else
        print(
          result.removed
            ? colors.green(`The lab is removed, ${result.seconds.toFixed(1)} s`)
            : 'There was no lab to remove.',
        )
    })
}

async function confirm(): Promise<void> {
  const parts = await describeLab(await loadContext())
  if (parts.length === 0) return
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`This removes ${parts.join(' and ')}. Continue? [y/N] `)
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new LabError({ found: 'Cancelled. Nothing was removed', next: './lab down --yes' })
}
