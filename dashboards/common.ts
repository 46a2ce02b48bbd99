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
  type AnnotationQuery,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  type DashboardLink,
  DashboardLinkType,
  type DynamicConfigValue,
  FieldColorBuilder,
  FieldColorModeId,
  type Panel,
  QueryVariableBuilder,
  RowBuilder,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import {
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  PanelBuilder as HeatmapPanel,
} from '@grafana/grafana-foundation-sdk/heatmap'
import { PanelBuilder as LogsPanel } from '@grafana/grafana-foundation-sdk/logs'
import { QueryEditorMode as LokiEditor, DataqueryBuilder as LokiQuery } from '@grafana/grafana-foundation-sdk/loki'
import {
  QueryEditorMode as PrometheusEditor,
  PromQueryFormat as PrometheusFormat,
  DataqueryBuilder as PrometheusQuery,
} from '@grafana/grafana-foundation-sdk/prometheus'
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat'
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table'
import { PanelBuilder as TimeseriesPanel } from '@grafana/grafana-foundation-sdk/timeseries'

// What every dashboard of the lab has in common: where data comes from, what a panel must say of itself, the four variables.

/** The two data sources, by the uids under which the lab provisions them. */
export const dataSources = {
  prometheus: { type: 'prometheus', uid: 'prometheus' },
  loki: { type: 'loki', uid: 'loki' },
} as const satisfies Record<string, DataSourceRef>

/** Every dashboard: its uid, its title in links, and the order in which one leads to the next. */
export const pages = {
  caseStudy: { uid: 'tetragon-case-study', title: 'Case study' },
  security: { uid: 'tetragon-security', title: 'Security' },
  guestbook: { uid: 'tetragon-guestbook', title: 'Guestbook' },
  logs: { uid: 'tetragon-logs', title: 'Events' },
  health: { uid: 'tetragon-health', title: 'Tetragon health' },
  class: { uid: 'tetragon-class', title: 'Class' },
} as const

/** Why a panel that counts events holds nothing: where there are none, it shows zero. */
export const lokiSilent = 'Loki does not answer; see Tetragon health.'

// --- queries

/** A query in either language; its letter is given by the panel that takes it. */
export type Query = PrometheusQuery | LokiQuery

/** PromQL over the dashboard's time range. `legend` may name labels as `{{label}}`. */
export const promql = (expr: string, legend: string): PrometheusQuery =>
  new PrometheusQuery()
    .datasource(dataSources.prometheus)
    .editorMode(PrometheusEditor.Code)
    .expr(expr)
    .legendFormat(legend)
    .range()

/** PromQL at the end of the dashboard's time range. */
export const promqlNow = (expr: string, legend: string): PrometheusQuery => promql(expr, legend).instant()

/** The same as rows of a table. */
export const promqlTable = (expr: string): PrometheusQuery => promqlNow(expr, '').format(PrometheusFormat.Table)

/** LogQL over the dashboard's time range: a metric query, or log lines (at most 100, the newest). */
export const logql = (expr: string, legend = ''): LokiQuery =>
  new LokiQuery()
    .datasource(dataSources.loki)
    .editorMode(LokiEditor.Code)
    .expr(expr)
    .legendFormat(legend)
    .queryType('range')
    .maxLines(100)

/** A LogQL metric query at the end of the dashboard's time range. */
export const logqlNow = (expr: string, legend = ''): LokiQuery => logql(expr, legend).queryType('instant').instant(true)

/**
 * Adds a series of zero, named `value` in `label`, where a grouped query finds nothing: an empty panel cannot be told
 * from a broken one. Reads the same in PromQL and in LogQL.
 */
export const orNone = (expr: string, label: string, value = 'none'): string =>
  `${expr} or on() label_replace(vector(0), "${label}", "${value}", "", "")`

/** As `orNone`, for a query that yields a single number. */
export const orZero = (expr: string): string => `${expr} or vector(0)`

// --- panels

/** What every panel says of itself. */
export interface About {
  title: string
  /** What is shown, how it is read, and what moves it. Markdown. */
  description: string
  /** A Grafana unit, as in `short`, `ops`, `bytes`. */
  unit: string
  /** What an empty panel means and what to do about it. */
  empty: string
  /** Columns of 24; 12 when left out. */
  width?: number
  /** Rows of 30 pixels; 8 when left out. */
  height?: number
}

interface PanelBuilder extends Builder<Panel> {
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

/** A builder of the kit, with all that a panel of the lab must carry, and letters for its queries. */
function panel<P extends PanelBuilder>(builder: P, about: About, queries: Query[]): P {
  const source = queries[0] instanceof LokiQuery ? dataSources.loki : dataSources.prometheus
  builder
    .title(about.title)
    .description(about.description)
    .unit(about.unit)
    .noValue(about.empty)
    .datasource(source)
    .span(about.width ?? 12)
    .height(about.height ?? 8)
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

// Shorter than a scrape, a step shows nothing new; shorter than this, a count of events is noise.
const shortestStep = '15s'

/** Lines over time. */
export const lines = (about: About, ...queries: Query[]): TimeseriesPanel =>
  panel(new TimeseriesPanel(), about, queries)
    .interval(shortestStep)
    .legend(legend('lastNotNull'))
    // By name, so that a policy has the same colour on every panel.
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .tooltip(tooltip())
    .lineWidth(2)
    .fillOpacity(8)
    .showPoints(VisibilityMode.Never)
    .axisSoftMin(0)

/** Counts in each step of time, one on top of the other. */
export const bars = (about: About, ...queries: Query[]): TimeseriesPanel =>
  lines(about, ...queries)
    .legend(legend('sum'))
    .drawStyle(GraphDrawStyle.Bars)
    .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A'))
    .lineWidth(0)
    .fillOpacity(80)

const lastValue = () => new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false)

/** Colours by value: green from the start, then each step from its value on. */
export const thresholds = (...steps: Threshold[]): ThresholdsConfigBuilder =>
  new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([{ value: null, color: 'green' }, ...steps])

/** One large number for each series. */
export const stat = (about: About, ...queries: Query[]): StatPanel =>
  panel(new StatPanel(), about, queries)
    .reduceOptions(lastValue())
    .colorMode(BigValueColorMode.Value)
    .graphMode(BigValueGraphMode.None)
    .thresholds(thresholds())

/** One horizontal bar for each series. */
export const gauges = (about: About, ...queries: Query[]): BarGaugePanel =>
  panel(new BarGaugePanel(), about, queries)
    .reduceOptions(lastValue())
    .orientation(VizOrientation.Horizontal)
    .displayMode(BarGaugeDisplayMode.Basic)
    .min(0)
    .thresholds(thresholds())

/** A row for each series, a column for each step of time, the darker the more. */
export const heatmap = (about: About, query: Query): HeatmapPanel =>
  panel(new HeatmapPanel(), about, [query])
    .interval('30s')
    .calculate(false)
    .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Oranges').exponent(0.5).steps(64))
    .cellGap(1)
    .showValue(VisibilityMode.Auto)
    .showLegend()

/** Log lines, newest first; `oldestFirst` for what is read like a story. */
export const logLines = (about: About, query: Query, { oldestFirst = false } = {}): LogsPanel =>
  panel(new LogsPanel(), about, [query])
    .showTime(true)
    .enableLogDetails(true)
    .wrapLogMessage(false)
    .sortOrder(oldestFirst ? LogsSortOrder.Ascending : LogsSortOrder.Descending)

/** Columns whose cells lead to the events of what they name, and the variable that filters by it. */
const linkedColumns: Record<string, string> = {
  Namespace: 'namespace',
  Pod: 'pod',
  Policy: 'policy',
  Binary: 'binary',
}

/**
 * A table of one instant query: a column for each label, in the order given, and the count last.
 * @param columns label to heading; a heading that names a variable becomes a link to the events behind it.
 */
export function table(about: About, query: Query, columns: Record<string, string>, count = 'Events'): TablePanel {
  const labels = Object.keys(columns)
  const builder = panel(new TablePanel(), about, [query])
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries([...labels, 'Value #A', 'Value'].map((name, index) => [name, index])),
        // The column is called after the query's letter by some versions of the data source, and not by others.
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

/** The colours of severities, wherever one is a series. */
export const severityColours: Record<string, string> = {
  info: 'blue',
  warn: 'yellow',
  error: 'orange',
  critical: 'dark-red',
}

/** A fixed colour for a series, by its name. */
export const colour = (name: string): DynamicConfigValue[] => [
  { id: 'color', value: new FieldColorBuilder().mode(FieldColorModeId.Fixed).fixedColor(name).build() },
]

// --- dashboards

/** The variables that every dashboard carries, so that a choice made on one holds on the next. */
export const variables = (): Builder<VariableModel>[] => [
  variable('namespace', 'Namespace', 'label_values(tetragon_events_total, namespace)'),
  variable('pod', 'Pod', 'label_values(tetragon_events_total{namespace=~"$namespace"}, pod)'),
  variable('policy', 'Policy', 'label_values(tetragon_policy_events_total, policy)'),
  variable('binary', 'Binary', 'label_values(tetragon_events_total{namespace=~"$namespace", pod=~"$pod"}, binary)'),
]

// All is `.*`, not `.+`: a process of the node has no namespace and no pod, an exec has no policy, and All means them too.
const variable = (name: string, label: string, query: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(dataSources.prometheus)
    .query({ qryType: 1, query, refId: `variable-${name}` })
    .definition(query)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)

const link = ({ uid, title }: { uid: string; title: string }): DashboardLink => ({
  title,
  type: DashboardLinkType.Link,
  url: `/d/${uid}`,
  icon: 'dashboard',
  tooltip: `To ${title}, with the same time range and choices`,
  tags: [],
  asDropdown: false,
  targetBlank: false,
  includeVars: true,
  keepTime: true,
})

/** A heading and the panels under it. Each line of panels fills all 24 columns. */
export interface Row {
  title: string
  panels: PanelBuilder[]
}

/** What a dashboard is made of, beside what all have. */
export interface Page {
  page: { uid: string; title: string }
  description: string
  rows: Row[]
  /** After the four that all have. */
  variables?: Builder<VariableModel>[]
  annotations?: AnnotationQuery[]
}

/** Puts a dashboard together: last 15 minutes, every 10 s, panels numbered from 1 in the order they stand. */
export function dashboard({ page, description, rows, variables: more = [], annotations = [] }: Page): Dashboard {
  const builder = new DashboardBuilder(page.title)
    .uid(page.uid)
    .description(description)
    .tags(['tetragon-lab'])
    .time({ from: 'now-15m', to: 'now' })
    .refresh('10s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([...variables(), ...more])
    .annotations(annotations.map(annotation => ({ build: () => annotation })))
  for (const other of following(page.uid)) builder.link({ build: () => link(other) })
  let id = 0
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title).id(++id))
    for (const each of row.panels) builder.withPanel(each.id(++id))
  }
  // The kit marks its queries with functions; what leaves here is data.
  return JSON.parse(JSON.stringify(builder.build()))
}

/** The other dashboards, starting with the one that comes next. */
function following(uid: string): { uid: string; title: string }[] {
  const all = Object.values(pages)
  const at = all.findIndex(page => page.uid === uid)
  return [...all.slice(at + 1), ...all.slice(0, at)]
}

/**
 * Log lines as marks on every graph of a dashboard.
 * @param expr LogQL that yields lines, at most 100 of which are marked.
 * @param title What a mark is headed by. The end of a process has no policy and no message, but a signal.
 */
export const marks = (
  name: string,
  colourName: string,
  expr: string,
  title = '{{tetragon_policy_name}} {{tetragon_message}}',
): AnnotationQuery => ({
  name,
  datasource: dataSources.loki,
  enable: true,
  iconColor: colourName,
  expr,
  titleFormat: title,
  textFormat: '{{k8s_namespace_name}}/{{k8s_pod_name}}: {{process_executable_path}} {{tetragon_args}}',
  tagKeys: 'detected_level,tetragon_event_type',
  target: logql(expr).refId('marks').build(),
})

/** The same of what was stopped. */
export const blockedMarks = (expr: string): AnnotationQuery =>
  marks(
    'Blocked',
    'dark-red',
    expr,
    '{{tetragon_signal}} {{tetragon_action}} {{tetragon_policy_name}} {{tetragon_message}}',
  )
