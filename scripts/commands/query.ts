import type { Command } from 'commander'
import { LabError } from '../../shared/lab-error.ts'
import { readSettings } from '../../shared/settings/stack-file.ts'
import { nearest } from '../../shared/validation/schema-errors.ts'
import { loadContext, requireLab } from '../context/context.ts'
import { telemetryClient } from '../exercise/check/lab-client.ts'
import { milliseconds } from '../exercise/definition/check-schema.ts'
import { connectToGrafana } from '../telemetry/admin-access.ts'
import { GrafanaClient } from '../telemetry/grafana-client.ts'
import { isLogQuery, type Sample } from '../telemetry/query-response.ts'
import { colors } from '../terminal/colors.ts'
import { wholeNumber, withValues } from '../terminal/lab-command.ts'
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

const languages = ['promql', 'logql']

export function register(program: Command): void {
  program
    .command('query')
    .description('Run a PromQL query on the metrics or a LogQL query on the events')
    .addArgument(withValues(program.createArgument('<language>', 'Query language: promql or logql'), languages))
    .argument('<query>', 'Query, in quotes')
    .option('--since <duration>', 'LogQL: how far back to search', '15m')
    .option('--limit <lines>', 'LogQL: maximum number of lines, newest first', wholeNumber('--limit', 20), 20)
    .option('--label <name>', 'Print only this label of each series, one per line')
    .option('--value', 'Print only the values, one per line')
    .option('--pretty', 'LogQL: print each event as indented JSON')
    .option('--json', 'Print the series or the lines as JSON')
    .addHelpText(
      'after',
      `
Examples:
  ./lab query promql 'sum by (type) (tetragon_events_total)'
  ./lab query logql '{service_name="tetragon", tetragon_event_type="process_exec"} | process_arguments=~".*shadow.*"' --limit 3`,
    )
    .action(async (language: string, query: string, options: Options) => {
      const from = startOf(language, options.since)
      const settings = readSettings()
      await requireLab(settings)
      const { adminSecret } = settings.grafana
      const grafana = adminSecret ? await connectToGrafana(await loadContext(['kubectl'])) : new GrafanaClient(settings)
      if (language === 'logql' && isLogQuery(query) && !options.label && !options.value)
        return runLogQuery(grafana, query, from, options)
      const client = telemetryClient(grafana)
      const now = new Date()
      const samples = language === 'promql' ? await client.promql(query, now) : await client.logql(query, from, now)
      showSamples(samples, options)
    })
}

/** Checks the arguments and returns where the time range starts. */
function startOf(language: string, since: string): Date {
  if (!languages.includes(language))
    throw new LabError({
      found: `${language} is not a query language of the lab`,
      expected: languages.join(' or '),
      next: `./lab query ${nearest(language, languages) ?? 'promql'} '…'`,
      exitCode: 2,
    })
  if (!/^\d{1,5}[smh]$/.test(since))
    throw new LabError({
      found: `--since is ${since || '""'}`,
      expected: 'a duration such as 30s, 15m or 1h',
      next: 'repeat the command with --since 15m',
      exitCode: 2,
    })
  return new Date(Date.now() - milliseconds(since))
}

async function runLogQuery(
  grafana: GrafanaClient,
  query: string,
  from: Date,
  { limit, json, pretty }: Options,
): Promise<void> {
  const lines = await grafana.logLines(query, { from, limit })
  if (json) return printJson(lines)
  if (lines.length === 0) note('No line matches.')
  for (const { time, line } of lines)
    print(`${colors.dim(time.toISOString().slice(11, 23))}  ${pretty ? indentJson(line) : line}`)
}

function indentJson(line: string): string {
  try {
    return JSON.stringify(JSON.parse(line), null, 2)
  } catch {
    return line
  }
}

function showSamples(samples: Sample[], { json, label, value }: Options): void {
  if (json) printJson(samples)
  else if (label) for (const text of new Set(samples.flatMap(({ labels }) => labels[label] ?? []))) print(text)
  else if (value) for (const sample of samples) print(String(sample.value))
  else if (samples.length === 0) note('No series matches.')
  else {
    print(sampleTable(samples))
    if (samples.some(({ labels }) => Object.values(labels).some(text => shortened(text) !== text)))
      note('Long values end in …. To see all of them: --label NAME or --json')
  }
}

/** Columns of the widest value: an exec id, which users copy. */
const widestCell = 80

/** Shortens a value that would make the table wider than a screen, such as the arguments of a program. */
const shortened = (text: string): string => (text.length > widestCell ? `${text.slice(0, widestCell - 1)}…` : text)

/** Returns series as a table with a column for each label, highest value first. */
export function sampleTable(samples: Sample[]): string {
  const names = [...new Set(samples.flatMap(({ labels }) => Object.keys(labels)))].sort()
  const grid = plainTable([...names, 'value'], [...names.map(() => 'left' as const), 'right'])
  for (const { labels, value } of samples.toSorted((a, b) => b.value - a.value))
    grid.push([
      ...names.map(name => shortened(labels[name] ?? '')),
      Number.isInteger(value) ? String(value) : value.toPrecision(4),
    ])
  return grid.toString()
}
