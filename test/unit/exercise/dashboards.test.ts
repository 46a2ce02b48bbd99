import { expect, test } from 'vitest'
import { allDashboards } from '../../../dashboards/index.ts'
import { panelQueries, resolveQuery } from '../../../dashboards/panel-queries.ts'
import { findExercise } from '../../../scripts/exercise/definition/exercises.ts'

// The exercise on reading dashboards: what is right is what the panel shows that the text names.

const exercise = findExercise('read-a-dashboard')

/** Each task's panel, and what the text has the student choose or look for on it. */
const readings = [
  { task: 'cache', dashboard: 'Case study', panel: '4. Tetragon Process Cache Size' },
  { task: 'policy', dashboard: 'Case study', panel: '1. Tetragon Policy Events Total' },
  {
    task: 'program',
    dashboard: 'Security',
    panel: 'Programs started, by namespace and binary',
    namespace: 'application',
  },
  {
    task: 'shadow',
    dashboard: 'Security',
    panel: 'Sensitive files',
    namespace: 'application',
    row: ' | k8s_workload_name="visitor" | tetragon_args="/etc/shadow"',
  },
]

/** The panel's query over the last 15 minutes as one step, without what stands in where there is nothing. */
function ofPanel({ dashboard: title, panel, namespace = '.*' }: (typeof readings)[number]): string {
  const { dashboard } = allDashboards().find(each => each.dashboard.title === title)!
  const { expr } = panelQueries(dashboard).find(query => query.panel.title === panel)!
  const filled = resolveQuery(expr.replaceAll('$namespace', namespace), dashboard, { range: '15m', step: '15m' })
  return filled.replace(/ or on\(\) label_replace\(vector\(0\).*$/, '')
}

/** A query in one spacing, without what is around it: how many rows a panel shows, or over how many minutes its line is read, is not what is asked. */
const bare = (query: string): string =>
  query
    .replace(/\s+/g, ' ')
    .replace(/^topk\(\d+, (.*)\)$/, '$1')
    .replace(/^avg_over_time\((.*)\[5m:15s\]\)$/, '$1')
    .trim()

test.each(readings)('$task is what "$panel" shows', reading => {
  const { check } = exercise.tasks.find(({ id }) => id === reading.task)!
  const { promql, logql } = check.answer!.from
  const asked = bare((promql ?? logql)!)
  expect(asked.replace(reading.row ?? '', '')).toBe(bare(ofPanel(reading)))
  if (reading.row) expect(asked).toContain(reading.row)
})

test('every task has its panel, and the text names each, with its dashboard', () => {
  expect(exercise.tasks.map(({ id }) => id)).toEqual(readings.map(({ task }) => task))
  const text = exercise.text.tokens.map(({ raw }) => raw).join('')
  for (const { panel, dashboard: title } of readings) {
    const { dashboard } = allDashboards().find(each => each.dashboard.title === title)!
    expect(text).toContain(`*${panel}*`)
    expect(text).toContain(`[${title}](http://127.0.0.1:3000/d/${dashboard.uid})`)
  }
})
