import type { Command } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { readFigures } from '../size/figures.ts'
import { type Cluster, sizeCluster } from '../size/model.ts'
import { readProductionSettings } from '../size/production-settings.ts'
import { formatSize } from '../size/size-table.ts'
import { wholeNumber } from '../terminal/lab-command.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { plainTable } from '../terminal/table.ts'

export function register(program: Command): void {
  const number = (name: string, example: number, to?: number) => wholeNumber(`--${name}`, example, { to })
  program
    .command('size')
    .description('Estimate replicas, memory, disk and S3 requests for a cluster of your size')
    .requiredOption('--nodes <number>', 'Nodes of the cluster', number('nodes', 200, 100_000))
    .requiredOption('--events-per-node <number>', 'Events a second of a node', positive('--events-per-node', 50))
    .option('--pods-per-node <number>', 'Pods on a node', number('pods-per-node', 30, 1000), 30)
    .option('--namespaces <number>', 'Namespaces with events', number('namespaces', 20, 10_000), 20)
    .option('--retention-days <number>', 'How long events are kept', number('retention-days', 30, 3650), 30)
    .option('--outage-minutes <number>', 'Outage of Loki that the gateways cover', number('outage-minutes', 60), 60)
    .option('--event-bytes <number>', 'Bytes of an event (default: as in the recording)', number('event-bytes', 4000))
    .option('--compression <factor>', 'How much smaller compression makes events', positive('--compression', 10))
    .option('--json', 'Print the result as JSON')
    .addHelpText(
      'after',
      `
Calculates from what bench/ measured on one node. The table says which numbers are measured and which are extrapolated.
Events a second of a node, where the lab runs: ./lab query promql 'sum by (node) (rate(tetragon_events_exported_total[1h]))'

Example:
  ./lab size --nodes 200 --events-per-node 50`,
    )
    .action(({ json, ...cluster }: Cluster & { json?: boolean }) => {
      const figures = readFigures()
      const sizes = sizeCluster(cluster, figures, readProductionSettings())
      if (json) return printJson({ cluster, measuredOn: figures.measuredOn, sizes })
      const table = plainTable(['part', '', 'size', '', 'from'], ['left', 'left', 'right'])
      let part = ''
      for (const size of sizes) {
        table.push([size.part === part ? '' : size.part, size.what, formatSize(size), size.basis, size.from])
        part = size.part
      }
      print(table.toString())
      note(`Measured on ${figures.measuredOn}. docs/production.md explains the numbers.`)
      if (!figures.cluster)
        note('Series of Kubernetes are missing: node bench/footprint.ts measures them in a running lab')
    })
}

/** Returns a parser for an option that takes a number above 0. */
const positive =
  (option: string, example: number) =>
  (text: string): number => {
    const number = Number(text)
    if (number > 0 && Number.isFinite(number)) return number
    throw new LabError({
      found: `${option} is ${text || '""'}`,
      expected: 'a number above 0',
      next: `repeat the command with ${option} ${example}`,
      exitCode: 2,
    })
  }
