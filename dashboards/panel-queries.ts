import type { Dataquery } from '@grafana/grafana-foundation-sdk/cog'
import type { Dashboard, Panel, RowPanel, VariableModel } from '@grafana/grafana-foundation-sdk/dashboard'

// The queries of a dashboard as data: what `lab verify` runs, and what the tests parse.

/** One query of one panel. */
export interface PanelQuery {
  /** Uid of the dashboard. */
  dashboard: string
  panel: { id: number; title: string }
  /** Letter of the query within its panel. */
  refId: string
  datasource: 'prometheus' | 'loki'
  /** As written, with Grafana's macros and the dashboard's variables. */
  expr: string
  /** Evaluated once, at the end of the time range; else over it. */
  instant: boolean
  /**
   * The setting without which this query finds nothing, and what it must be: no fault of the pipe. Absent for a query that
   * holds data in every lab.
   */
  needs?: { setting: string; value: unknown }
}

/** Every query of every panel, in the order they stand. Rows that are folded count too. */
export function panelQueries(dashboard: Dashboard): PanelQuery[] {
  return panelsOf(dashboard).flatMap(panel =>
    (panel.targets ?? []).map(target => {
      const { expr, refId, instant, queryType } = target as Target
      const query: PanelQuery = {
        dashboard: dashboard.uid!,
        panel: { id: panel.id!, title: panel.title! },
        refId,
        datasource: (target as Target).datasource.type,
        expr,
        instant: instant === true || queryType === 'instant',
      }
      const needs = needed(expr)
      return needs ? { ...query, needs } : query
    }),
  )
}

interface Target extends Dataquery {
  expr: string
  refId: string
  datasource: { type: 'prometheus' | 'loki'; uid: string }
  instant?: boolean
  queryType?: string
}

/** Panels in the order they stand, without rows. */
export const panelsOf = (dashboard: Dashboard): Panel[] =>
  (dashboard.panels ?? []).flatMap(panel => (isRow(panel) ? panel.panels : [panel]))

const isRow = (panel: Panel | RowPanel): panel is RowPanel => panel.type === 'row'

// Only a query that is nothing without them: one that falls back to zero holds data anyway.
function needed(expr: string): PanelQuery['needs'] {
  if (/\bvector\(0\)/.test(expr)) return undefined
  if (/\bk6_/.test(expr)) return { setting: 'traffic.enabled', value: true }
  if (/\bguestbook_/.test(expr)) return { setting: 'guestbook.images', value: 'lab' }
  return undefined
}

/**
 * Panels that stay at zero in a lab where nothing is amiss, and why. Of all others a recording fills every query, so that one which falls back to
 * zero there asks for the wrong thing.
 */
export const quiet: Record<string, string> = {
  'Connections to public addresses': 'nobody in the lab makes one',
  'Connections to public addresses, by binary': 'nobody in the lab makes one',
  Errors: 'the Guestbook answers as it should',
  'Errors of Redis': 'Redis answers as it should',
  'Events lost, by stage': 'nothing is lost',
  'Queue of the shipper': 'a SIEM is a setting, and Fluent Bit’s queue has no limit',
  Students: 'no class is on',
  Active: 'no class is on',
  Stuck: 'no class is on',
  'Exercises finished': 'no class is on',
  'Minutes at the present task': 'no class is on',
  'Failed tries at the present task': 'no class is on',
  'Last heard of': 'no class is on',
  Points: 'no class is on',
  'Tasks by failed tries': 'no class is on',
}

/** A query without the zero that stands for nothing found. */
export const withoutFallback = (expr: string): string =>
  expr.replace(/ or (vector\(0\)|on\(\) label_replace\(vector\(0\), "\w+", "[^"]*", "", ""\))$/, '')

/**
 * A query as a data source takes it: macros become durations, variables become what All stands for, or their present value.
 * @param times `range` for `$__range`, `step` for every other macro; both as durations, 15m and 1m when left out.
 */
export function runnable(expr: string, dashboard: Dashboard, times: { range?: string; step?: string } = {}): string {
  const { range = '15m', step = '1m' } = times
  let query = expr.replaceAll('$__range', range).replace(/\$__(rate_interval|interval|auto)\b/g, step)
  for (const variable of dashboard.templating.list ?? [])
    query = query.replace(new RegExp(`\\$${variable.name}\\b`, 'g'), () => presentValue(variable))
  return query
}

function presentValue(variable: VariableModel): string {
  if (variable.includeAll) return variable.allValue ?? '.*'
  const value = variable.current?.value ?? ''
  return Array.isArray(value) ? value.join('|') : value
}
