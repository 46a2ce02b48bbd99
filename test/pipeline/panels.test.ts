import { afterEach, expect, it } from 'vitest'
import { allDashboards } from '../../dashboards/index.ts'
import { mustHaveData, panelQueries, resolveQuery } from '../../dashboards/panel-queries.ts'
import { queryToCheck } from '../../scripts/verify/panel-data.ts'
import { recordedLines } from './support/feed.ts'
import { Pipeline } from './support/pipeline.ts'

// Runs the panels' queries on a real Loki with the recording, without their fallback to zero, which would hide a
// misspelt label.

let pipeline: Pipeline
afterEach(() => pipeline.remove())

it('every panel on Loki has data from the recording unless it may be quiet in a healthy lab', async () => {
  pipeline = await new Pipeline('otel').start()
  const lines = recordedLines()
  pipeline.exportFile().append(lines)
  expect(await pipeline.loki.waitForCount(lines.length)).toBe(lines.length)

  const queries = allDashboards().flatMap(({ dashboard }) =>
    panelQueries(dashboard)
      .filter(({ datasource }) => datasource === 'loki')
      .map(query => ({ title: `${dashboard.title} / ${query.panel.title} / ${query.refId}`, dashboard, query })),
  )
  expect(queries.length).toBeGreaterThan(25)
  const empty: string[] = []
  for (const { title, dashboard, query } of queries) {
    if (!mustHaveData(query.panel.title, 'replay')) continue
    const found = await pipeline.loki.hasResult(resolveQuery(queryToCheck(query, 'replay'), dashboard, { step: '15m' }))
    if (!found) empty.push(title)
  }
  expect(empty).toEqual([])
})
