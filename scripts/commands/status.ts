import type { Command } from 'commander'
import colors from 'picocolors'
import { sayTrouble } from '../cluster/workloads.ts'
import { readStatus, type Status } from '../lab/status.ts'
import { print, printJson } from '../terminal/output.ts'

export function register(program: Command): void {
  program
    .command('status')
    .description('say how the lab is: what runs, where its events come from and why, where it answers')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  ./lab status --json | jq .source')
    .action(async ({ json = false }: { json?: boolean }) => {
      const status = await readStatus()
      if (json) printJson(status)
      else show(status)
      if (status.state !== 'up') process.exitCode = 1
    })
}

const says: Record<Status['state'], string> = {
  up: colors.green('The lab is up.'),
  starting: colors.yellow('The lab is there, but not all of it is ready.'),
  stopped: colors.yellow('The node does not run. next: ./lab up'),
  down: 'There is no lab. next: ./lab up',
}

function show({ state, source, workloads, addresses }: Status): void {
  print(says[state])
  if (source) print(`\nEvents: ${colors.bold(source.runs)} (tetragon.source: ${source.set}; ${source.why})`)
  if (workloads.length === 0) return
  print()
  const width = Math.max(...workloads.map(workload => workload.name.length))
  for (const { namespace, name, kind, ready, wanted, trouble } of workloads) {
    const count = `${ready}/${wanted}`
    print(
      `  ${namespace.padEnd(12)} ${name.padEnd(width)}  ${ready >= wanted ? colors.green(count) : colors.red(count)}  ${trouble ? colors.red(sayTrouble(trouble)) : colors.dim(kind)}`,
    )
  }
  print()
  for (const [name, address] of Object.entries(addresses)) print(`  ${name.padEnd(12)} ${address}`)
}
