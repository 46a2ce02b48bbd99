import { expect, test } from 'vitest'
import { allDashboards } from '../../../../dashboards/index.ts'
import { panelQueries, resolveQuery } from '../../../../dashboards/panel-queries.ts'
import { findExercise } from '../../../../scripts/exercise/definition/exercises.ts'

// The exercise on dashboards: the right answer is what the panel shows that the text names.

const exercise = findExercise('read-a-dashboard')

/** The panel of each task, with the namespace and the row that the text tells students to select. */
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

/** Returns the panel's query for the last 15 minutes, without the part that shows 0 when there is no data. */
function ofPanel({ dashboard: title, panel, namespace = '.*' }: (typeof readings)[number]): string {
  const { dashboard } = allDashboards().find(each => each.dashboard.title === title)!
  const { expr } = panelQueries(dashboard).find(query => query.panel.title === panel)!
  const filled = resolveQuery(expr.replaceAll('$namespace', namespace), dashboard, { range: '15m', step: '15m' })
  return filled.replace(/ or on\(\) label_replace\(vector\(0\).*$/, '')
}

/** Normalizes spaces, and removes the functions that limit rows or smooth a line. */
const bare = (query: string): string =>
  query
    .replace(/\s+/g, ' ')
    .replace(/^topk\(\d+, (.*)\)$/, '$1')
    .replace(/^avg_over_time\((.*)\[5m:15s\]\)$/, '$1')
    .trim()

test.each(readings)('the answer to $task is what the panel "$panel" shows', reading => {
  const { check } = exercise.tasks.find(({ id }) => id === reading.task)!
  const { promql, logql } = check.answer!.from
  const query = bare((promql ?? logql)!)
  expect(query.replace(reading.row ?? '', '')).toBe(bare(ofPanel(reading)))
  if (reading.row) expect(query).toContain(reading.row)
})

test('the text names the panel of every task, and links its dashboard', () => {
  expect(exercise.tasks.map(({ id }) => id)).toEqual(readings.map(({ task }) => task))
  const text = exercise.text.tokens.map(({ raw }) => raw).join('')
  for (const { panel, dashboard: title } of readings) {
    const { dashboard } = allDashboards().find(each => each.dashboard.title === title)!
    expect(text).toContain(`*${panel}*`)
    expect(text).toContain(`[${title}](http://127.0.0.1:3000/d/${dashboard.uid})`)
  }
})
