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
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import {
  type DashboardLink,
  type DynamicConfigValue,
  FieldColorBuilder,
  FieldColorModeId,
  type Panel,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard'
import {
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  PanelBuilder as HeatmapPanel,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap'
import { PanelBuilder as LogsPanel } from '@grafana/grafana-foundation-sdk/logs'
import { DataqueryBuilder as LokiQuery } from '@grafana/grafana-foundation-sdk/loki'
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TextPanel } from '@grafana/grafana-foundation-sdk/text'
import { PanelBuilder as TimeseriesPanel } from '@grafana/grafana-foundation-sdk/timeseries'
import { colors } from './colors.ts'
import type { Page } from './pages.ts'
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
  /** What it means if the panel is empty: that this is good, or what to do. Grafana shows it instead of "No data". */
  empty: string
  /** In columns, of 24; 12 by default. */
  width?: number
  /** In rows of 30 pixels; 8 by default. */
  height?: number
  /** The dashboard that explains more, as a link at the title. */
  explainedBy?: Page
}

/** The same for types of panels in which Grafana always writes "No data". They must have data in every lab. */
type AlwaysFilled = Omit<PanelOptions, 'empty'>

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
  links(links: Builder<DashboardLink>[]): this
  overrideByName(name: string, properties: DynamicConfigValue[]): this
}

/** Adds to a builder what every panel must have, and gives each query a letter. */
export function panel<P extends PanelBuilder>(builder: P, options: PanelOptions | AlwaysFilled, queries: Query[]): P {
  const source = queries[0] instanceof LokiQuery ? dataSources.loki : dataSources.prometheus
  builder
    .title(options.title)
    .description(options.description)
    .unit(options.unit)
    .datasource(source)
    .span(options.width ?? 12)
    .height(options.height ?? 8)
  if ('empty' in options) builder.noValue(options.empty)
  if (options.explainedBy) builder.links([panelLink(options.explainedBy)])
  queries.forEach((query, index) => {
    builder.withTarget(query.refId(String.fromCharCode(65 + index)))
  })
  return builder
}

/** The time range and the filters of the dashboard, in a link. */
export const everythingSelected = '${__url_time_range}&${__all_variables}'

/** Creates a link at a panel's title, with the same time range and filters. */
const panelLink = ({ uid, title }: Page): Builder<DashboardLink> => ({
  // A panel's link has only these two fields, unlike a dashboard's.
  build: () => ({ title: `Open ${title}`, url: `/d/${uid}?${everythingSelected}` }) as DashboardLink,
})

const legend = (calculation: string) =>
  new VizLegendOptionsBuilder()
    .showLegend(true)
    .displayMode(LegendDisplayMode.List)
    .placement(LegendPlacement.Bottom)
    .calcs([calculation])

const tooltip = () => new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending)

// A shorter step than the scrape interval shows nothing new, and makes counts of events noisy.
const minInterval = '15s'

/** What an axis shows at least, by unit. Without it, the axis of a line at zero goes up to 100 or to 10,000%. */
const atLeast: Record<string, number> = {
  short: 10,
  eps: 1,
  ops: 1,
  reqps: 1,
  s: 0.01,
  cores: 0.01,
  bytes: 1024 ** 2,
  percentunit: 0.01,
}

/** Creates a panel of lines over time. */
export const timeSeries = (options: PanelOptions, ...queries: Query[]): TimeseriesPanel =>
  panel(new TimeseriesPanel(), options, queries)
    .interval(minInterval)
    .legend(legend('lastNotNull'))
    // Names that are known in advance have fixed colors, see colors.ts.
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassic))
    .tooltip(tooltip())
    .lineWidth(2)
    .fillOpacity(8)
    .showPoints(VisibilityMode.Never)
    .axisSoftMin(0)
    .axisSoftMax(atLeast[options.unit] ?? 1)

/** Creates a panel of counts per interval, as stacked bars. */
export const bars = (options: PanelOptions, ...queries: Query[]): TimeseriesPanel =>
  timeSeries(options, ...queries)
    .legend(legend('sum'))
    .drawStyle(GraphDrawStyle.Bars)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
    .lineWidth(0)
    .fillOpacity(80)

const lastValue = () => new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false)

/** A value from which another color applies. */
interface Step {
  value: number
  color: keyof typeof colors
}

/** Colors values: green below the first step, then the color of the highest step reached. */
export const thresholds = (...steps: Step[]): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder()
    .mode(ThresholdsMode.Absolute)
    .steps([
      { value: null, color: colors.green },
      ...steps.map(({ value, color }) => ({ value, color: colors[color] })),
    ])

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

/** Creates a heatmap: a row per series, and a column per interval. */
export const heatmap = (options: AlwaysFilled, query: Query): HeatmapPanel =>
  panel(new HeatmapPanel(), options, [query])
    .interval('30s')
    .calculate(false)
    .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Oranges').exponent(0.5).steps(64))
    .cellGap(1)
    // Grafana reserves a little less than long names need.
    .yAxis(new YAxisConfigBuilder().axisWidth(240))
    .showValue(VisibilityMode.Auto)
    .showLegend()

/** Creates a panel of log lines, newest first by default. Long lines are wrapped. */
export const logLines = (options: AlwaysFilled, query: Query, { oldestFirst = false } = {}): LogsPanel =>
  panel(new LogsPanel(), options, [query])
    .showTime(true)
    .enableLogDetails(true)
    .wrapLogMessage(true)
    .sortOrder(oldestFirst ? LogsSortOrder.Ascending : LogsSortOrder.Descending)

/** Creates a panel of Markdown. */
export const text = (
  { title, description, width = 24, height = 8 }: Omit<PanelOptions, 'unit' | 'empty'>,
  markdown: string,
): TextPanel => new TextPanel().title(title).description(description).span(width).height(height).content(markdown)
