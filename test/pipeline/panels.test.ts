import { afterEach, expect, it } from 'vitest'
import { allDashboards } from '../../dashboards/index.ts'
import { panelQueries, expectedAtZero, resolveQuery } from '../../dashboards/panel-queries.ts'
import { queryToCheck } from '../../scripts/verify/panel-data.ts'
import { recordedLines } from './support/feed.ts'
import { Pipeline } from './support/pipeline.ts'

// What the recording fills, asked of a real Loki without the zero that stands for nothing found: a label, or a value of one, that is
// misspelt in a panel would hide behind it.

let pipeline: Pipeline
afterEach(() => pipeline.remove())

it('every panel on Loki finds something in the recording, but those that say why not', async () => {
  pipeline = await new Pipeline('otel').start()
  const lines = recordedLines()
  pipeline.exportFile().append(lines)
  expect(await pipeline.loki.settled(lines.length)).toBe(lines.length)

  const queries = allDashboards().flatMap(({ dashboard }) =>
    panelQueries(dashboard)
      .filter(({ datasource }) => datasource === 'loki')
      .map(query => ({ title: `${dashboard.title} / ${query.panel.title} / ${query.refId}`, dashboard, query })),
  )
  expect(queries.length).toBeGreaterThan(25)
  const empty: string[] = []
  for (const { title, dashboard, query } of queries) {
    if (query.panel.title in expectedAtZero) continue
    const found = await pipeline.loki.finds(resolveQuery(queryToCheck(query, 'replay'), dashboard, { step: '15m' }))
    if (!found) empty.push(title)
  }
  expect(empty).toEqual([])
})
