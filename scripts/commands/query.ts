import type { Command } from 'commander'
import { colors } from '../terminal/colors.ts'
import { LabError } from '../../shared/lab-error.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import { loadContext } from '../context/context.ts'
import { connectLabClient } from '../exercise/check/lab-client.ts'
import { milliseconds } from '../exercise/definition/schema.ts'
import { GrafanaClient } from '../telemetry/grafana-client.ts'
import { isLogQuery, type Sample } from '../telemetry/query-response.ts'
import { wholeNumber } from '../terminal/lab-command.ts'
import { note, print, printJson } from '../terminal/output.ts'
import { plainTable } from '../terminal/table.ts'

interface Options {
  since: string
  label?: string
  value?: boolean
  pretty?: boolean
  limit: number
  json?: boolean
}

export function register(program: Command): void {
  program
    .command('query')
    .description('evaluate PromQL on the metrics, or LogQL on the events, as Grafana would')
    .argument('<language>', 'promql or logql')
    .argument('<query>', 'the query, in quotes')
    .option('--since <duration>', 'of a log query: how far back', '15m')
    .option('--limit <lines>', 'of a log query: how many lines, the newest first', wholeNumber('--limit', 20), 20)
    .option('--label <name>', 'print only this label of each series, one a line')
    .option('--value', 'print only the values, one a line')
    .option('--pretty', 'of a log query: print each event over many lines, to be read')
    .option('--json', 'print the series, or the lines, as JSON')
    .addHelpText(
      'after',
      `
Examples:
  ./lab query promql 'sum by (type) (tetragon_events_total)'
  ./lab query logql '{service_name="tetragon", tetragon_event_type="process_exec"} | process_arguments=~".*shadow.*"' --limit 3`,
    )
    .action(async (language: string, query: string, options: Options) => {
      if (language !== 'promql' && language !== 'logql')
        throw new LabError({
          found: `a query in ${language}`,
          expected: 'promql or logql',
          next: `./lab query ${nearest(language, ['promql', 'logql']) ?? 'promql'} '…'`,
          exitCode: 2,
        })
      if (!/^\d{1,5}[smh]$/.test(options.since))
        throw new LabError({
          found: `--since ${options.since}`,
          expected: 'a duration such as 30s, 15m or 1h',
          next: 'repeat it with --since 15m',
          exitCode: 2,
        })
      const from = new Date(Date.now() - milliseconds(options.since))
      if (language === 'logql' && isLogQuery(query) && !options.label && !options.value)
        return lines(query, from, options)
      const world = await connectLabClient()
      const now = new Date()
      const found = language === 'promql' ? await world.promql(query, now) : await world.logql(query, from, now)
      if (options.json) return printJson(found)
      if (options.label) {
        const values = found.flatMap(({ labels }) => labels[options.label!] ?? [])
        for (const value of [...new Set(values)]) print(value)
        return
      }
      if (options.value) {
        for (const { value } of found) print(String(value))
        return
      }
      if (found.length === 0) note('Nothing: no series fits.')
      else print(table(found))
    })
}

/** Series as a table: a column for each label that differs or is the only one, the value last, the highest first. */
function table(found: Sample[]): string {
  const names = [...new Set(found.flatMap(({ labels }) => Object.keys(labels)))].sort()
  const grid = plainTable([...names, 'value'], [...names.map(() => 'left' as const), 'right'])
  for (const { labels, value } of found.toSorted((a, b) => b.value - a.value))
    grid.push([
      ...names.map(name => labels[name] ?? ''),
      Number.isInteger(value) ? String(value) : value.toPrecision(4),
    ])
  return grid.toString()
}

async function lines(query: string, from: Date, { limit, json, pretty }: Options): Promise<void> {
  const { settings } = await loadContext()
  const found = await new GrafanaClient(settings).logLines(query, { from, limit })
  if (json) return printJson(found)
  if (found.length === 0) note('Nothing: no line fits.')
  for (const { time, line } of found)
    print(`${colors.dim(time.toISOString().slice(11, 23))}  ${pretty ? indented(line) : line}`)
}

function indented(line: string): string {
  try {
    return JSON.stringify(JSON.parse(line), null, 2)
  } catch {
    return line
  }
}
