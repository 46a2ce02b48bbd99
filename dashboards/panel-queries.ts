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

/** Why a panel may have no data, or only zeros, in a healthy lab. */
interface Quiet {
  because: string
  /** Whether the recording has data for it, so that it must have some during a replay. */
  isRecorded: boolean
}

const always = (because: string): Quiet => ({ because, isRecorded: false })
const unlessRecorded = (because: string): Quiet => ({ because, isRecorded: true })

const noViolation = unlessRecorded('no policy may have been violated')
const noPublicConnection = always('no workload of the lab makes one')
const noClass = always('no class is running')

/** Panels that may be quiet in a healthy lab, by title. All others must have data. */
export const mayBeQuiet: Record<string, Quiet> = {
  Alerts: always('no alert is firing'),
  'Events lost': always('no event is lost'),
  'Failed policies': always('every policy is loaded'),
  'Policies violated, by severity': noViolation,
  Violations: noViolation,
  'Violations by policy': noViolation,
  'Violations by severity': noViolation,
  Blocked: unlessRecorded('no enforcing policy may be loaded'),
  'Blocked calls and killed processes': unlessRecorded('no enforcing policy may be loaded'),
  'Blocked and observed': noViolation,
  'Security events': noViolation,
  'Sensitive files': noViolation,
  'Files opened': noViolation,
  'Connections by binary and destination': unlessRecorded('the policy tcp-connect may not be loaded'),
  'Public addresses': noPublicConnection,
  'Connections to public addresses': noPublicConnection,
  Errors: always('no request fails'),
  'Redis errors': always('Redis has no errors'),
  'Events lost, by stage': always('no event is lost'),
  'Queue of the shipper': always('a SIEM is optional, and Fluent Bit’s queue has no limit'),
  'Agent errors': always('the agent has no errors'),
  Students: noClass,
  Active: noClass,
  Stuck: noClass,
  'Exercises done': noClass,
  'Where each student is': noClass,
  Points: noClass,
  'Failed attempts by task': noClass,
}

/** Tells whether a panel must have data, with the given source of events. */
export function mustHaveData(title: string, source: 'live' | 'replay' | 'none'): boolean {
  const quiet = mayBeQuiet[title]
  return !quiet || (quiet.isRecorded && source === 'replay')
}

/** Removes the zero that `orZero` added to a query, so that only data counts. */
export const withoutFallback = (expr: string): string => expr.replace(/ or vector\(0\)$/, '')

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
