import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common'
import { QueryEditorMode as LokiEditor, DataqueryBuilder as LokiQuery } from '@grafana/grafana-foundation-sdk/loki'
import {
  QueryEditorMode as PrometheusEditor,
  PromQueryFormat as PrometheusFormat,
  DataqueryBuilder as PrometheusQuery,
} from '@grafana/grafana-foundation-sdk/prometheus'

/** The two data sources, by the uids under which the lab provisions them. */
export const dataSources = {
  prometheus: { type: 'prometheus', uid: 'prometheus' },
  loki: { type: 'loki', uid: 'loki' },
} as const satisfies Record<string, DataSourceRef>

/** A query in PromQL or LogQL. The panel gives it its letter. */
export type Query = PrometheusQuery | LokiQuery

/** Creates a PromQL query over the dashboard's time range. The legend can contain labels, as `{{label}}`. */
export const promql = (expr: string, legend: string): PrometheusQuery =>
  new PrometheusQuery()
    .datasource(dataSources.prometheus)
    .editorMode(PrometheusEditor.Code)
    .expr(expr)
    .legendFormat(legend)
    .range()

/** Creates a PromQL query at the end of the dashboard's time range. */
export const promqlNow = (expr: string, legend: string): PrometheusQuery => promql(expr, legend).instant()

/** Creates the same query as rows of a table. */
export const promqlTable = (expr: string): PrometheusQuery => promqlNow(expr, '').format(PrometheusFormat.Table)

/** Creates a LogQL query over the dashboard's time range: a metric query, or the newest 100 log lines. */
export const logql = (expr: string, legend = ''): LokiQuery =>
  new LokiQuery()
    .datasource(dataSources.loki)
    .editorMode(LokiEditor.Code)
    .expr(expr)
    .legendFormat(legend)
    .queryType('range')
    .maxLines(100)

/** Creates a LogQL metric query at the end of the dashboard's time range. */
export const logqlNow = (expr: string, legend = ''): LokiQuery => logql(expr, legend).queryType('instant').instant(true)

/** Returns a zero if a query for a single number finds nothing. Works in PromQL and in LogQL. */
export const orZero = (expr: string): string => `${expr} or vector(0)`

/** How many series the palette keeps apart. */
export const mostSeries = 5

/**
 * Creates a query for the busiest series of a metric.
 * @param label what the series are named after
 * @param expr PromQL of the series, grouped by the label
 * @param total PromQL of their totals in the time range, grouped by the label; the largest ones are shown
 */
export const busiest = (label: string, expr: string, total: string): PrometheusQuery =>
  promql(`${expr} and on(${label}) topk(${mostSeries}, ${total})`, `{{${label}}}`)
