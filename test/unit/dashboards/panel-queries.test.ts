import { describe, expect, test } from 'vitest'
import { allDashboards } from '../../../dashboards/index.ts'
import { expectedAtZero, panelQueries, panelsOf, resolveQuery } from '../../../dashboards/panel-queries.ts'
import { queryToCheck } from '../../../scripts/verify/panel-data.ts'

const dashboards = allDashboards().map(({ dashboard }) => dashboard)

describe('during a replay', () => {
  const queries = dashboards.flatMap(panelQueries)
  const withFallback = queries.filter(({ expr }) => expr.includes('vector(0)'))

  test('queries that the recording fills are checked without their fallback', () => {
    for (const query of withFallback) {
      const isFilled = !(query.panel.title in expectedAtZero)
      expect(queryToCheck(query, 'replay').includes('vector(0)'), query.panel.title).toBe(!isFilled)
      expect(queryToCheck(query, 'live')).toBe(query.expr)
    }
    const filled = new Set(
      withFallback.filter(({ panel }) => !(panel.title in expectedAtZero)).map(({ panel }) => panel.title),
    )
    for (const title of [
      'Violations',
      'Blocked',
      'Sensitive files',
      'Connections by binary and destination',
      'Blocked against observed',
      'Kernel memory of policies',
    ])
      expect(filled).toContain(title)
  })

  test('every panel expected at zero exists, falls back to zero and has a reason', () => {
    for (const [title, reason] of Object.entries(expectedAtZero)) {
      expect(
        withFallback.some(({ panel }) => panel.title === title),
        title,
      ).toBe(true)
      expect(reason.length).toBeGreaterThan(10)
    }
    const classDashboard = allDashboards().find(({ dashboard }) => dashboard.title === 'Class')!
    for (const { title } of panelsOf(classDashboard.dashboard)) expect(expectedAtZero).toHaveProperty([title!])
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
