import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import colors from 'picocolors'
import { LabError } from '../../shared/lab-error.ts'
import { downLab, whatIsThere } from '../lab/down.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('down')
    .description('remove the lab: cluster, state, and everything in Docker but the images')
    .option('-y, --yes', 'ask nothing')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  ./lab down --yes')
    .action(async ({ yes = false, json = false }: { yes?: boolean; json?: boolean }) => {
      if (!yes && process.stdin.isTTY) await confirm()
      const result = await downLab()
      if (json) printJson(result)
      else
        print(
          result.removed
            ? colors.green(`The lab is gone, ${result.seconds.toFixed(1)} s`)
            : 'There was no lab to remove.',
        )
    })
}

async function confirm(): Promise<void> {
  const there = await whatIsThere()
  if (there.length === 0) return
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`This removes ${there.join(' and ')}. Go on? [y/N] `)
  terminal.close()
  if (!/^y(es)?$/i.test(answer.trim()))
    throw new LabError({ found: 'no consent', expected: 'y', next: './lab down --yes' })
}
