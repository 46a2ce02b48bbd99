import pLimit from 'p-limit'
import type { LabDashboard } from '../../dashboards/index.ts'
import {
  mayBeQuiet,
  mustHaveData,
  type PanelQuery,
  panelQueries,
  resolveQuery,
  withoutFallback,
} from '../../dashboards/panel-queries.ts'
import { LabError } from '../../shared/lab-error.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { labDashboards } from '../../stacks/monitoring/grafana/dashboards.ts'
import type { Context } from '../context/context.ts'
import type { GrafanaClient } from '../telemetry/grafana-client.ts'
import { runningSource } from '../tetragon/running-source.ts'
import { checksOf, retryUntilPassed, type VerifyCheck } from './verify-check.ts'

const { ok, fail, skip } = checksOf('panels')

type Source = Awaited<ReturnType<typeof runningSource>>

/**
 * Checks that every query of every panel returns data through Grafana, as it would for the panel. Panels that may be
 * quiet in a healthy lab only need an answer.
 */
export async function verifyPanels(context: Context, grafana: GrafanaClient): Promise<VerifyCheck[]> {
  const limit = pLimit(4)
  const source = await runningSource(context)
  const provisioned = await grafana.get<{ uid: string }[]>('/api/search?type=dash-db&limit=500')
  const uids = new Set(provisioned.map(dashboard => dashboard.uid))
  const checks = labDashboards(context.settings).flatMap(({ dashboard }) => {
    if (!uids.has(dashboard.uid!)) return [[missingDashboard(dashboard)]]
    const panels = Map.groupBy(panelQueries(dashboard), query => query.panel.id)
    return [...panels.values()].map(queries => {
      const title = `${dashboard.title} / ${queries[0]!.panel.title}`
      const unmet = unmetNeed(queries, context.settings)
      if (unmet) return [skip(title, `needs ${unmet.setting} to be ${unmet.value}`)]
      const resolved = queries.map(query => ({ ...query, expr: resolveQuery(queryToCheck(query, source), dashboard) }))
      return retryUntilPassed(() => limit(async () => [await verifyPanel(grafana, title, resolved, source)]))
    })
  })
  return (await Promise.all(checks)).flat()
}

const missingDashboard = ({ title, uid }: LabDashboard['dashboard']): VerifyCheck =>
  fail(`dashboard ${title}`, {
    found: 'not in Grafana',
    expected: `a dashboard with the uid ${uid}`,
    next: './lab logs grafana',
  })

/** Returns the query of a panel. During a replay, a fallback to zero does not count where the recording has data. */
export const queryToCheck = ({ expr, panel }: PanelQuery, source: Source): string =>
  source === 'replay' && mustHaveData(panel.title, source) ? withoutFallback(expr) : expr

async function verifyPanel(
  grafana: GrafanaClient,
  title: string,
  queries: PanelQuery[],
  source: Source,
): Promise<VerifyCheck> {
  const panel = queries[0]!.panel.title
  const mustFind = mustHaveData(panel, source)
  let series = 0
  for (const { datasource, expr, instant, refId } of queries) {
    try {
      const time = instant ? {} : { from: new Date(Date.now() - 15 * 60_000) }
      const samples = await grafana.query(datasource, expr, time)
      const withData = samples.filter(({ value }) => !Number.isNaN(value)).length
      if (withData === 0 && mustFind)
        return fail(title, {
          found: `query ${refId} is empty: ${expr}`,
          expected: 'at least one series',
          next: `./lab logs ${datasource === 'loki' ? 'shipper' : 'prometheus'}`,
        })
      series += withData
    } catch (error) {
      if (!(error instanceof LabError)) throw error
      return fail(title, { found: `query ${refId}: ${error.found}`, next: error.next })
    }
  }
  return ok(title, series === 0 ? `nothing to show: ${mayBeQuiet[panel]!.because}` : `${series} series`)
}

/** Returns the setting that a panel needs and that has another value. */
export const unmetNeed = (queries: PanelQuery[], settings: Settings): PanelQuery['needs'] =>
  queries
    .map(({ needs }) => needs)
    // Whatever a query needs belongs to the Guestbook.
    .map(needs => (needs && !settings.guestbook.enabled ? { setting: 'guestbook.enabled', value: true } : needs))
    .find(needs => needs && settingAt(settings, needs.setting) !== needs.value)

const settingAt = (settings: Settings, path: string): unknown =>
  path.split('.').reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], settings)
