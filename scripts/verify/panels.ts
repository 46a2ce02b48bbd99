import pLimit from 'p-limit'
import { allDashboards } from '../../dashboards/index.ts'
import { type PanelQuery, panelQueries, quiet, runnable, withoutFallback } from '../../dashboards/panel-queries.ts'
import { LabError } from '../../shared/lab-error.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import type { Grafana } from '../telemetry/grafana.ts'
import { runningSource } from '../tetragon/tetra.ts'
import { fail, ok, retryUntil, skip, type VerifyCheck } from './verify-check.ts'

/**
 * Runs every query of every panel through Grafana, as the panel would; a panel holds data when each of its queries does. Where a recording is
 * played it is known what it fills, and a zero for want of anything does not count there.
 */
export async function verifyPanels(settings: Settings, grafana: Grafana): Promise<VerifyCheck[]> {
  const atATime = pLimit(4)
  const source = await runningSource()
  const found = await grafana.get<{ uid: string }[]>('/api/search?type=dash-db&limit=500')
  const provisioned = new Set(found.map(dashboard => dashboard.uid))
  const checks = allDashboards().flatMap(({ dashboard }) => {
    const title = `dashboard ${dashboard.title}`
    if (!provisioned.has(dashboard.uid!))
      return [
        Promise.resolve([
          fail('panels', title, 'not in Grafana', `a dashboard with the uid ${dashboard.uid}`, './lab logs grafana'),
        ]),
      ]
    const byPanel = Map.groupBy(panelQueries(dashboard), query => query.panel.id)
    return [...byPanel.values()].map(async queries => {
      const panel = `${dashboard.title} / ${queries[0]!.panel.title}`
      const unmet = queries
        .map(query => query.needs)
        .find(needs => needs && valueAt(settings, needs.setting) !== needs.value)
      if (unmet) return [skip('panels', panel, `needs ${unmet.setting} to be ${unmet.value}`)]
      const prepared = queries.map(query => ({ ...query, expr: runnable(asked(query, source), dashboard) }))
      return retryUntil(() => atATime(async () => [await askPanel(grafana, panel, prepared)]))
    })
  })
  return (await Promise.all(checks)).flat()
}

/** What is asked of a query: with a recording more than that it falls back to zero. */
export const asked = ({ expr, panel }: PanelQuery, source: 'live' | 'replay' | 'none'): string =>
  source === 'replay' && !(panel.title in quiet) ? withoutFallback(expr) : expr

async function askPanel(grafana: Grafana, title: string, queries: PanelQuery[]): Promise<VerifyCheck> {
  let series = 0
  for (const { datasource, expr, instant, refId } of queries) {
    try {
      const result = await grafana[datasource](expr, instant ? undefined : 15)
      const holding = result.filter(one => one.points > 0 && !Number.isNaN(one.value)).length
      if (holding === 0)
        return fail(
          'panels',
          title,
          `query ${refId} is empty: ${expr}`,
          'at least one series',
          `./lab logs ${datasource === 'loki' ? 'shipper' : 'prometheus'}`,
        )
      series += holding
    } catch (error) {
      if (!(error instanceof LabError)) throw error
      return fail('panels', title, `query ${refId}: ${error.found}`, 'an answer', error.next)
    }
  }
  return ok('panels', title, `${series} series`)
}

const valueAt = (settings: Settings, path: string): unknown =>
  path.split('.').reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], settings)
