import Table from 'cli-table3'
import type { Command } from 'commander'
import { exportDashboards, listDashboards } from '../telemetry/dashboard-export.ts'
import { note, print, printJson } from '../terminal/output.ts'

/** `lab dashboards`: the lab's dashboards without the lab. */
export function register(program: Command): void {
  const dashboards = program
    .command('dashboards')
    .description('List the dashboards, or write them as JSON for a Grafana of your own.')
    .addHelpText('after', '\nExample:\n  ./lab dashboards export ~/dashboards --portable')

  dashboards
    .command('list')
    .description('What there is: uid, title, panels and queries.')
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  ./lab dashboards list --json')
    .action((options: { json?: boolean }) => {
      const rows = listDashboards()
      if (options.json) return printJson(rows)
      const table = new Table({ head: ['uid', 'title', 'panels', 'queries'], style: { head: [], border: [] } })
      for (const { uid, title, panels, queries } of rows) table.push([uid, title, panels, queries])
      print(table.toString())
    })

  dashboards
    .command('export')
    .argument('<folder>', 'where to write; made if it is not there')
    .description('Write every dashboard as JSON (classic schema), for Grafana 12 or newer.')
    .option('--portable', 'ask for the data sources at import, instead of expecting the uids prometheus and loki')
    .option('--json', 'print the names of the files as JSON')
    .addHelpText(
      'after',
      `
Without --portable the files suit Grafana's file provisioning: data sources with the uids prometheus and loki must be there.
A dashboard that you save from Grafana 13 comes back from such a file only if it was exported as "Classic".

Example:
  ./lab dashboards export dashboards-json`,
    )
    .action((folder: string, options: { portable?: boolean; json?: boolean }) => {
      const files = exportDashboards(folder, options)
      if (options.json) return printJson(files)
      for (const file of files) print(file)
      const whose = options.portable
        ? 'to be imported anywhere'
        : 'for data sources with the uids prometheus and loki; for others: --portable'
      note(`${files.length} dashboards written, ${whose}`)
    })
}
