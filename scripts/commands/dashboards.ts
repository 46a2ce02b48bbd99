import type { Command } from 'commander'
import { exportDashboards, listDashboards } from '../telemetry/dashboard-export.ts'
import { addGroup } from '../terminal/lab-command.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { plainTable } from '../terminal/table.ts'

export function register(program: Command): void {
  const dashboards = addGroup(
    program,
    'dashboards',
    'List the dashboards, or export them as JSON for another Grafana',
    'Example:\n  ./lab dashboards export ~/dashboards --portable',
  )

  dashboards
    .command('list')
    .description('List the dashboards with uid, title, and the number of panels and queries')
    .option('--json', 'Print the list as JSON')
    .addHelpText('after', '\nExample:\n  ./lab dashboards list --json')
    .action((options: { json?: boolean }) => {
      const rows = listDashboards()
      if (options.json) return printJson(rows)
      const table = plainTable(['uid', 'title', 'panels', 'queries'], ['left', 'left', 'right', 'right'])
      for (const { uid, title, panels, queries } of rows) table.push([uid, title, panels, queries])
      print(table.toString())
    })

  dashboards
    .command('export')
    .argument('<folder>', 'Folder to write to; created if it does not exist')
    .description('Write every dashboard as JSON (classic schema), for Grafana 12 or later')
    .option(
      '--portable',
      'Let Grafana ask for the data sources at import, instead of expecting the uids prometheus and loki',
    )
    .option('--json', 'Print the file names as JSON')
    .addHelpText(
      'after',
      `
Without --portable the files are for Grafana's file provisioning: the data sources must have the uids prometheus and loki.
To import a dashboard that you saved from Grafana 13, export it as "Classic".

Example:
  ./lab dashboards export dashboards-json`,
    )
    .action((folder: string, options: { portable?: boolean; json?: boolean }) => {
      const files = exportDashboards(folder, options)
      if (options.json) return printJson(files)
      for (const file of files) print(file)
      const use = options.portable
        ? 'they can be imported into any Grafana'
        : 'they need data sources with the uids prometheus and loki (for others: --portable)'
      note(`${files.length} dashboards written: ${use}`)
    })
}
