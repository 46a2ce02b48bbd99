import type { Command } from 'commander'
import { describeTrouble, isReady } from '../cluster/workloads.ts'
import { readStatus, type Status } from '../lab/status.ts'
import { colors } from '../terminal/colors.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('status')
    .description('Show what is running, the event source, and the addresses')
    .option('--json', 'Print the status as JSON')
    .addHelpText('after', '\nExample:\n  ./lab status --json | jq .source')
    .action(async ({ json = false }: { json?: boolean }) => {
      const status = await readStatus()
      if (json) printJson(status)
      else showStatus(status)
      if (status.state !== 'up') process.exitCode = 1
    })
}

const stateText: Record<Status['state'], string> = {
  up: colors.green('The lab is up.'),
  starting: colors.yellow('The lab is starting: some pods are not ready.'),
  stopped: colors.yellow('The node is stopped. To start it: ./lab up'),
  down: 'No lab is running. To start one: ./lab up',
}

function showStatus({ state, source, workloads, addresses }: Status): void {
  print(stateText[state])
  if (source) print(`\nEvent source: ${colors.bold(source.runs)} (tetragon.source: ${source.set}; ${source.why})`)
  if (workloads.length === 0) return
  print()
  const width = Math.max(...workloads.map(workload => workload.name.length))
  for (const { namespace, name, kind, ready, wanted, trouble } of workloads) {
    const count = `${ready}/${wanted}`
    print(
      `  ${namespace.padEnd(12)} ${name.padEnd(width)}  ${isReady({ ready, wanted }) ? colors.green(count) : colors.red(count)}  ${trouble ? colors.red(describeTrouble(trouble)) : colors.dim(kind)}`,
    )
  }
  print()
  for (const [name, address] of Object.entries(addresses)) print(`  ${name.padEnd(12)} ${address}`)
}
