import type { Dataquery } from '@grafana/grafana-foundation-sdk/cog'
import type { Dashboard, Panel, RowPanel, VariableModel } from '@grafana/grafana-foundation-sdk/dashboard'

// The queries of a dashboard as data, for `lab verify` and the tests.

/** One query of one panel. */
export interface PanelQuery {
  /** The dashboard's uid. */
  dashboard: string
  panel: { id: number; title: string }
  /** The query's letter within its panel. */
  refId: string
  datasource: 'prometheus' | 'loki'
  /** With Grafana's macros and the dashboard's variables. */
  expr: string
  /** Whether it is evaluated once, at the end of the time range, rather than over the range. */
  instant: boolean
  /**
   * A setting that this query needs to find anything, and its required value. Absent for a query that has data in every
   * lab.
   */
  needs?: { setting: string; value: unknown }
}

/** Returns every query of every panel in order, including those in collapsed rows. */
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
      const needs = requiredSetting(expr)
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

/** Returns the panels of a dashboard in order, without the rows. */
export const panelsOf = (dashboard: Dashboard): Panel[] =>
  (dashboard.panels ?? []).flatMap(panel => (isRow(panel) ? panel.panels : [panel]))

const isRow = (panel: Panel | RowPanel): panel is RowPanel => panel.type === 'row'

// A query that falls back to zero always has data.
function requiredSetting(expr: string): PanelQuery['needs'] {
  if (/\bvector\(0\)/.test(expr)) return undefined
  if (/\bk6_/.test(expr)) return { setting: 'traffic.enabled', value: true }
  if (/\bguestbook_/.test(expr)) return { setting: 'guestbook.images', value: 'lab' }
  return undefined
}

/**
 * Panels that show zero in a healthy lab, and why. A recording fills every query of all other panels, so a query of
 * theirs that falls back to zero during a replay is wrong.
 */
export const expectedAtZero: Record<string, string> = {
  'Connections to public addresses': 'no workload of the lab makes one',
  'Connections to public addresses, by binary': 'no workload of the lab makes one',
  Errors: 'the Guestbook has no errors',
  'Redis errors': 'Redis has no errors',
  'Events lost, by stage': 'no event is lost',
  'Queue of the shipper': 'a SIEM is optional, and Fluent Bit’s queue has no limit',
  Students: 'no class is running',
  Active: 'no class is running',
  Stuck: 'no class is running',
  'Exercises finished': 'no class is running',
  'Minutes on the current task': 'no class is running',
  'Failed attempts at the current task': 'no class is running',
  'Last report': 'no class is running',
  Points: 'no class is running',
  'Failed attempts by task': 'no class is running',
}

/** Removes the zero that `orZero` or `orNone` added to a query. */
export const withoutFallback = (expr: string): string =>
  expr.replace(/ or (vector\(0\)|on\(\) label_replace\(vector\(0\), "\w+", "[^"]*", "", ""\))$/, '')

/**
 * Replaces macros with durations, and variables with their current value or the value of All.
 * @param times `range` replaces `$__range` (15m by default), `step` every other macro (1m by default)
 */
export function resolveQuery(
  expr: string,
  dashboard: Dashboard,
  times: { range?: string; step?: string } = {},
): string {
  const { range = '15m', step = '1m' } = times
  let query = expr.replaceAll('$__range', range).replace(/\$__(rate_interval|interval|auto)\b/g, step)
  for (const variable of dashboard.templating.list ?? [])
    query = query.replace(new RegExp(`\\$${variable.name}\\b`, 'g'), () => currentValue(variable))
  return query
}

function currentValue(variable: VariableModel): string {
  if (variable.includeAll) return variable.allValue ?? '.*'
  const value = variable.current?.value ?? ''
  return Array.isArray(value) ? value.join('|') : value
}
