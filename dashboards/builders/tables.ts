import { TableSortByFieldStateBuilder } from '@grafana/grafana-foundation-sdk/common'
import { type DynamicConfigValue, MappingType, type RegexMap } from '@grafana/grafana-foundation-sdk/dashboard'
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table'
import { pages } from './pages.ts'
import { type PanelOptions, panel } from './panels.ts'
import type { Query } from './queries.ts'

/** How a column looks. */
interface ColumnStyle {
  /** In pixels. Columns without a width share the space that is left. */
  width?: number
  /** Shortens values. The full value is in the link and in the filter. */
  shorten?: RegexMap[]
  /** The variable by which the cells link to their events. */
  variable?: string
}

const shortenTo = (pattern: RegExp, text: string): RegexMap => ({
  type: MappingType.RegexToText,
  options: { pattern: String(pattern), result: { text, index: 0 } },
})

// Kubernetes makes the random parts of names from these letters and digits.
const random = '[b-df-hj-np-tv-xz24-9]'

/** Leaves out the part of a pod's name that all pods of its Deployment share. */
const shortPod = shortenTo(new RegExp(`^(.+)-${random}{6,10}-(${random}{5})$`), '$1…$2')
/** A token's path contains a folder with a date. */
const shortToken = shortenTo(/^.*\/([^/]+)\/\.\.\d{4}_[^/]+\/([^/]+)$/, '…/$1/$2')
/** Only the end of a long path matters. */
const shortPath = shortenTo(/^(?=.{21}).*\/([^/]+)$/, '…/$1')

/** The same for a command whose only argument is a path. */
const shortArgument = shortenTo(/^(?=\S{21,}$).*\/([^/]+)$/, '…/$1')

/** Drops the file and `(blocked)`, which another column and the table's title already show. */
const shortOutcome = shortenTo(/^(.+?)( \/\S+)? \(blocked\)$/, '$1')

/** Columns by heading. */
const styles: Record<string, ColumnStyle> = {
  Namespace: { width: 130, variable: 'namespace' },
  Pod: { width: 180, shorten: [shortPod], variable: 'pod' },
  Policy: { variable: 'policy' },
  Binary: { shorten: [shortPath], variable: 'binary' },
  Parent: { shorten: [shortPath] },
  File: { shorten: [shortToken] },
  Arguments: { shorten: [shortArgument] },
  Outcome: { shorten: [shortOutcome] },
  Type: { width: 100, shorten: [shortenTo(/^process_(.+)$/, '$1')] },
  Destination: { width: 180, shorten: [shortenTo(/^::ffff:(.+)$/, '$1')] },
}

/** Fits a number of six digits, and the heading with the arrow of the sorted column. */
const numberWidth = (heading: string): number => Math.max(90, heading.length * 9 + 36)

/** The least width of a column without a fixed one. Grafana's own limit of 150 would push the numbers out of the panel. */
const minWidth = 80

/** A column of numbers. */
interface NumberColumn {
  heading: string
  query: Query
  unit?: string
}

/**
 * Creates a table with a column per label and the numbers last. Rows with the same labels become one.
 * @param labels label to heading; the cells under some headings link to their events
 * @param numbers instant queries; the table is sorted by the first
 */
export function table(options: PanelOptions, labels: Record<string, string>, ...numbers: NumberColumn[]): TablePanel {
  const columns = Object.keys(labels)
  const values = numbers.map((_, index) => `Value #${String.fromCharCode(65 + index)}`)
  const renamed = Object.fromEntries(numbers.map(({ heading }, index) => [values[index]!, heading]))
  // Some versions of the data sources add the query's letter to the name of the column, others do not.
  if (numbers.length === 1) renamed.Value = numbers[0]!.heading
  const builder = panel(
    new TablePanel(),
    options,
    numbers.map(({ query }) => query),
  )
  if (numbers.length > 1) builder.withTransformation({ id: 'merge', options: {} })
  builder
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries([...columns, ...values, 'Value'].map((name, index) => [name, index])),
        renameByName: { ...labels, ...renamed },
      },
    })
    .sortBy([new TableSortByFieldStateBuilder().displayName(numbers[0]!.heading).desc(true)])
    .minWidth(minWidth)
    .filterable(true)
    // A row may lack a value. The text for an empty panel would stand in its cell.
    .overrideByRegexp('.*', [{ id: 'noValue', value: '–' }])
  for (const heading of Object.values(labels)) {
    const properties = columnProperties(heading, styles[heading] ?? {})
    if (properties.length > 0) builder.overrideByName(heading, properties)
  }
  for (const { heading, unit } of numbers)
    builder.overrideByName(heading, [
      { id: 'custom.width', value: numberWidth(heading) },
      { id: 'custom.filterable', value: false },
      // Complete numbers, not thousands.
      { id: 'unit', value: unit ?? 'locale' },
    ])
  return builder
}

const columnProperties = (heading: string, { width, shorten, variable }: ColumnStyle): DynamicConfigValue[] => [
  ...(width ? [{ id: 'custom.width', value: width }] : []),
  ...(shorten ? [{ id: 'mappings', value: shorten }] : []),
  ...(variable ? [{ id: 'links', value: [eventsLink(variable, heading)] }] : []),
]

const eventsLink = (variable: string, heading: string) => ({
  title: `Events of this ${heading.toLowerCase()}`,
  url: `/d/${pages.logs.uid}?\${__url_time_range}${otherChoices}&var-${variable}=\${__value.raw}`,
})

/** Stands in a link for the dashboard's variables other than the one that the link sets. */
const otherChoices = '&otherChoices'

/**
 * Replaces `otherChoices` in the links of a dashboard, as JSON. `${__all_variables}` would add the variable that the
 * link sets a second time.
 */
export const keepChoices = (json: string, variables: string[]): string =>
  json.replaceAll(/&otherChoices&var-(\w+)=/g, (_, set: string) =>
    [...variables.filter(name => name !== set).map(name => `&\${${name}:queryparam}`), `&var-${set}=`].join(''),
  )
