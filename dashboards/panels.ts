import { PanelBuilder as BarGaugePanel } from '@grafana/grafana-foundation-sdk/bargauge'
import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  type DataSourceRef,
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  LogsSortOrder,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TableSortByFieldStateBuilder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import {
  type DynamicConfigValue,
  FieldColorBuilder,
  FieldColorModeId,
  type Panel,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard'
import {
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  PanelBuilder as HeatmapPanel,
} from '@grafana/grafana-foundation-sdk/heatmap'
import { PanelBuilder as LogsPanel } from '@grafana/grafana-foundation-sdk/logs'
import { DataqueryBuilder as LokiQuery } from '@grafana/grafana-foundation-sdk/loki'
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as TimeseriesPanel } from '@grafana/grafana-foundation-sdk/timeseries'
import { pages } from './pages.ts'
import { dataSources, type Query } from './queries.ts'

/** Message in an empty panel that counts events. Without events it shows zero, so it is only empty if Loki fails. */
export const lokiUnavailable = 'Loki does not respond; see Tetragon health.'

/** What every panel must have. */
export interface PanelOptions {
  title: string
  /** What the panel shows, how to read it, and what changes it. Markdown. */
  description: string
  /** A Grafana unit such as `short`, `ops` or `bytes`. */
  unit: string
  /** What it means if the panel is empty, and what to do. */
  empty: string
  /** In columns, of 24; 12 by default. */
  width?: number
  /** In rows of 30 pixels; 8 by default. */
  height?: number
}

/** What the builders of Grafana's SDK for all types of panel have in common. */
export interface PanelBuilder extends Builder<Panel> {
  id(id: number): this
  title(title: string): this
  description(description: string): this
  unit(unit: string): this
  noValue(text: string): this
  datasource(source: DataSourceRef): this
  span(width: number): this
  height(height: number): this
  withTarget(query: Query): this
}

/** Adds to a builder what every panel must have, and gives each query a letter. */
function panel<P extends PanelBuilder>(builder: P, options: PanelOptions, queries: Query[]): P {
  const source = queries[0] instanceof LokiQuery ? dataSources.loki : dataSources.prometheus
  builder
    .title(options.title)
    .description(options.description)
    .unit(options.unit)
    .noValue(options.empty)
    .datasource(source)
    .span(options.width ?? 12)
    .height(options.height ?? 8)
  queries.forEach((query, index) => {
    builder.withTarget(query.refId(String.fromCharCode(65 + index)))
  })
  return builder
}

const legend = (calculation: string) =>
  new VizLegendOptionsBuilder()
    .showLegend(true)
    .displayMode(LegendDisplayMode.List)
    .placement(LegendPlacement.Bottom)
    .calcs([calculation])

const tooltip = () => new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending)

// A shorter step than the scrape interval shows nothing new, and makes counts of events noisy.
const minInterval = '15s'

/** Creates a panel of lines over time. */
export const timeSeries = (options: PanelOptions, ...queries: Query[]): TimeseriesPanel =>
  panel(new TimeseriesPanel(), options, queries)
    .interval(minInterval)
    .legend(legend('lastNotNull'))
    // By name, so that a policy has the same color on every panel.
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .tooltip(tooltip())
    .lineWidth(2)
    .fillOpacity(8)
    .showPoints(VisibilityMode.Never)
    .axisSoftMin(0)

/** Creates a panel of counts per interval, as stacked bars. */
export const bars = (options: PanelOptions, ...queries: Query[]): TimeseriesPanel =>
  timeSeries(options, ...queries)
    .legend(legend('sum'))
    .drawStyle(GraphDrawStyle.Bars)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
    .lineWidth(0)
    .fillOpacity(80)

const lastValue = () => new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false)

/** Colors values: green below the first step, then the color of the highest step reached. */
export const thresholds = (...steps: Threshold[]): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null, color: 'green' }, ...steps])

/** Creates a panel with one large number per series. */
export const stat = (options: PanelOptions, ...queries: Query[]): StatPanel =>
  panel(new StatPanel(), options, queries)
    .reduceOptions(lastValue())
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.None)
    .thresholds(thresholds())

/** Creates a panel with one horizontal bar per series. */
export const barGauges = (options: PanelOptions, ...queries: Query[]): BarGaugePanel =>
  panel(new BarGaugePanel(), options, queries)
    .reduceOptions(lastValue())
    .orientation(VizOrientation.Horizontal)
    .displayMode(BarGaugeDisplayMode.Basic)
    .min(0)
    .thresholds(thresholds())

/** Creates a heatmap: a row per series, a column per interval, darker for higher counts. */
export const heatmap = (options: PanelOptions, query: Query): HeatmapPanel =>
  panel(new HeatmapPanel(), options, [query])
    .interval('30s')
    .calculate(false)
    .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Oranges').exponent(0.5).steps(64))
    .cellGap(1)
    .showValue(VisibilityMode.Auto)
    .showLegend()

/** Creates a panel of log lines, newest first by default. */
export const logLines = (options: PanelOptions, query: Query, { oldestFirst = false } = {}): LogsPanel =>
  panel(new LogsPanel(), options, [query])
    .showTime(true)
    .enableLogDetails(true)
    .wrapLogMessage(false)
    .sortOrder(oldestFirst ? LogsSortOrder.Ascending : LogsSortOrder.Descending)

/** Columns whose cells link to their events, and the variable that filters by them. */
const linkedColumns: Record<string, string> = {
  Namespace: 'namespace',
  Pod: 'pod',
  Policy: 'policy',
  Binary: 'binary',
}

/**
 * Creates a table of one instant query, with a column per label and the count last.
 * @param columns label to heading; the cells under a heading in `linkedColumns` link to their events
 */
export function table(
  options: PanelOptions,
  query: Query,
  columns: Record<string, string>,
  count = 'Events',
): TablePanel {
  const labels = Object.keys(columns)
  const builder = panel(new TablePanel(), options, [query])
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries([...labels, 'Value #A', 'Value'].map((name, index) => [name, index])),
        // Some versions of the data source add the query's letter to the name of the column, others do not.
        renameByName: { ...columns, 'Value #A': count, Value: count },
      },
    })
    .sortBy([new TableSortByFieldStateBuilder().displayName(count).desc(true)])
    .filterable(true)
  for (const heading of Object.values(columns)) {
    const variable = linkedColumns[heading]
    if (variable) builder.overrideByName(heading, [eventsLink(variable, heading)])
  }
  return builder
}

const eventsLink = (variable: string, heading: string): DynamicConfigValue => ({
  id: 'links',
  value: [
    {
      title: `Events of this ${heading.toLowerCase()}`,
      url: `/d/${pages.logs.uid}?\${__url_time_range}&var-${variable}=\${__value.raw}`,
    },
  ],
})

/** The color of each severity. */
export const severityColors: Record<string, string> = {
  info: 'blue',
  warn: 'yellow',
  error: 'orange',
  critical: 'dark-red',
}

/** Creates an override that gives a series a fixed color. */
export const fixedColor = (name: string): DynamicConfigValue[] => [
  { id: 'color', value: new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor(name).build() },
]

/** Gives each series of a panel that is named after a severity the color of that severity. */
export function colorBySeverity(panel: TimeseriesPanel): TimeseriesPanel {
  for (const [severity, name] of Object.entries(severityColors)) panel.overrideByName(severity, fixedColor(name))
  return panel
}
