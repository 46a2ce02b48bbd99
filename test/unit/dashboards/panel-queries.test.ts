import { describe, expect, test } from 'vitest'
import { allDashboards } from '../../../dashboards/index.ts'
import { mayBeQuiet, mustHaveData, panelQueries, panelsOf, resolveQuery } from '../../../dashboards/panel-queries.ts'
import { queryToCheck } from '../../../scripts/verify/panel-data.ts'

const dashboards = allDashboards().map(({ dashboard }) => dashboard)

describe('a panel that may be quiet in a healthy lab', () => {
  const panels = dashboards.flatMap(panelsOf)

  test('exists once, and has a reason', () => {
    for (const [title, { because }] of Object.entries(mayBeQuiet)) {
      const found = panels.filter(panel => panel.title === title)
      // Two dashboards may count the same events.
      expect(new Set(found.map(({ type }) => type)).size, title).toBe(1)
      expect(because.length, title).toBeGreaterThan(10)
    }
  })

  test('includes all panels of the class, where no student may have joined', () => {
    const classDashboard = dashboards.find(({ title }) => title === 'Class')!
    for (const { title } of panelsOf(classDashboard)) expect(mustHaveData(title!, 'replay'), title).toBe(false)
  })

  test('must have data during a replay if the recording has some', () => {
    for (const title of [
      'Violations',
      'Blocked',
      'Sensitive files',
      'Connections by binary and destination',
      'Blocked and observed',
    ]) {
      expect(mustHaveData(title, 'replay'), title).toBe(true)
      expect(mustHaveData(title, 'live'), title).toBe(false)
    }
    for (const source of ['live', 'replay'] as const) {
      expect(mustHaveData('Events at each stage', source)).toBe(true)
      expect(mustHaveData('Connections to public addresses', source)).toBe(false)
    }
  })

  test('loses its fallback to zero where it must have data, because a zero is no data', () => {
    for (const query of dashboards.flatMap(panelQueries).filter(({ expr }) => expr.endsWith(' or vector(0)'))) {
      expect(queryToCheck(query, 'replay').endsWith(' or vector(0)'), query.panel.title).toBe(
        !mustHaveData(query.panel.title, 'replay'),
      )
      expect(queryToCheck(query, 'live')).toBe(query.expr)
    }
  })
})

test('only queries of optional features need a setting', () => {
  const needing = dashboards.flatMap(panelQueries).filter(({ needs }) => needs)
  expect(needing.length).toBeGreaterThan(0)
  for (const { expr, needs } of needing) {
    expect(expr).not.toContain('vector(0)')
    expect(expr).toMatch(needs!.setting === 'traffic.enabled' ? /k6_/ : /guestbook_/)
  }
})

test('resolveQuery replaces macros and variables, but not other dollar signs', () => {
  const dashboard = dashboards.find(({ uid }) => uid === 'tetragon-logs')!
  expect(resolveQuery('rate(a{pod=~"$pod"}[$__rate_interval])', dashboard)).toBe('rate(a{pod=~".*"}[1m])')
  expect(resolveQuery('a[$__range] b[$__auto]', dashboard, { range: '5m', step: '15s' })).toBe('a[5m] b[15s]')
  expect(resolveQuery('x |~ "(?i)$search" y "$"', dashboard)).toBe('x |~ "(?i)" y "$"')
})
