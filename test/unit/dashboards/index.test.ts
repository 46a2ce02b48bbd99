import type { Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard'
import { describe, expect, test } from 'vitest'
import { pages } from '../../../dashboards/builders/pages.ts'
import { dataSources } from '../../../dashboards/builders/queries.ts'
import { allDashboards, dashboardJson } from '../../../dashboards/index.ts'
import { panelQueries, panelsOf } from '../../../dashboards/panel-queries.ts'
import { portableJson } from '../../../scripts/telemetry/dashboard-export.ts'
import { dataSources as deployed } from '../../../shared/names.ts'

const all = allDashboards()
const uids = all.map(({ dashboard }) => dashboard.uid!)

test('the data sources have the uids that the lab deploys', () => {
  expect(dataSources.prometheus.uid).toBe(deployed.prometheus)
  expect(dataSources.loki.uid).toBe(deployed.loki)
})

test('uids are unique, and every linked page has a dashboard', () => {
  expect(new Set(uids).size).toBe(all.length)
  expect([...uids].sort()).toEqual(
    Object.values(pages)
      .map(page => page.uid)
      .sort(),
  )
})

test('two builds give the same JSON', () => {
  const text = () => allDashboards().map(({ dashboard }) => dashboardJson(dashboard))
  expect(text()).toEqual(text())
})

test('the case study starts with its six panels, in order', () => {
  const study = all.find(({ dashboard }) => dashboard.uid === 'tetragon-case-study')!
  const six = panelsOf(study.dashboard).slice(0, 6)
  expect(six.map(panel => panel.title)).toEqual([
    '1. Tetragon Policy Events Total',
    '2. Tetragon Process Cache Misses Total',
    '3. Tetragon Events Exported Total',
    '4. Tetragon Process Cache Size',
    '5. Tetragon Process Cache Evictions Total',
    '6. Tetragon PolicyFilter Operations Total',
  ])
})

describe.each(all)('$file', ({ dashboard, file }) => {
  const panels = panelsOf(dashboard)
  const placed = dashboard.panels as (Panel | RowPanel)[]

  test('has the classic schema, shows the last 15 minutes and refreshes every 10 s', () => {
    expect(dashboard).toMatchObject({
      schemaVersion: 42,
      time: { from: 'now-15m', to: 'now' },
      refresh: '10s',
      tags: ['tetragon-lab'],
    })
    expect(dashboard).not.toHaveProperty('apiVersion')
    expect(dashboard.description!.length).toBeGreaterThan(40)
    expect(file).toBe(`${dashboard.uid}.json`)
  })

  test('gives panels and rows unique ids', () => {
    const ids = placed.map(panel => panel.id)
    expect(ids.every(id => Number.isInteger(id) && id! > 0)).toBe(true)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test.each(panels.filter(({ type }) => type !== 'text').map(panel => ({ title: panel.title, panel })))(
    '$title has a description, a unit, a data source and a text for no data',
    ({ panel }) => {
      const { defaults } = panel.fieldConfig!
      expect(panel.title).toBeTruthy()
      expect(panel.description!.length).toBeGreaterThan(40)
      expect(defaults.unit).toBeTruthy()
      if (!['logs', 'heatmap'].includes(panel.type)) expect(defaults.noValue!.length).toBeGreaterThan(10)
      expect(Object.values(dataSources).map(({ uid }) => uid)).toContain(panel.datasource?.uid)
      const targets = panelQueries(dashboard).filter(query => query.panel.id === panel.id)
      expect(targets.length).toBeGreaterThan(0)
      expect(new Set(targets.map(target => target.refId)).size).toBe(targets.length)
      // A panel with two data sources would need Grafana's mixed data source, which has no uid.
      for (const target of panel.targets!) expect(target).toMatchObject({ datasource: panel.datasource })
    },
  )

  test('has unique panel titles, so that a finding can name a panel', () => {
    const titles = panels.map(panel => `${panel.title} (${panel.type})`)
    expect(new Set(titles).size).toBe(titles.length)
  })

  test('places panels in 24 columns without overlaps or gaps', () => {
    const cells = new Set<string>()
    let area = 0
    let bottom = 0
    for (const { gridPos, title } of placed) {
      const { x, y, w, h } = gridPos!
      expect(x + w, title).toBeLessThanOrEqual(24)
      for (let column = x; column < x + w; column++) for (let row = y; row < y + h; row++) cells.add(`${column},${row}`)
      area += w * h
      bottom = Math.max(bottom, y + h)
    }
    expect(cells.size, 'panels must not overlap').toBe(area)
    expect(area, 'each line must be full').toBe(24 * bottom)
  })

  test('starts with the four common variables, set to All', () => {
    const four = dashboard.templating.list!.slice(0, 4)
    const alike = (variables: typeof four) => variables.map(({ hide, ...variable }) => variable)
    expect(alike(four)).toEqual(alike(all[0]!.dashboard.templating.list!.slice(0, 4)))
    expect(four.map(({ name }) => name)).toEqual(['namespace', 'pod', 'policy', 'binary'])
    for (const variable of dashboard.templating.list!.filter(({ type }) => type !== 'textbox'))
      expect(variable).toMatchObject({ includeAll: true, allValue: '.*', multi: true, current: { value: ['$__all'] } })
  })

  test('links to other dashboards with the same time range and filters', () => {
    for (const link of dashboard.links!) {
      expect(link).toMatchObject({ keepTime: true, includeVars: true })
      // The SDK's default would hide the link in a menu.
      expect(link).not.toHaveProperty('placement')
      if (link.url) expect(uids.map(uid => `/d/${uid}`)).toContain(link.url)
    }
  })

  test('links from panels only to existing dashboards', () => {
    const targets = [...dashboardJson(dashboard).matchAll(/\/d\/([\w-]+)/g)].map(([, uid]) => uid)
    expect(targets.filter(uid => !uids.includes(uid!))).toEqual([])
  })

  test('prompts for data sources in its portable form', () => {
    const text = portableJson({ dashboard, file, folder: '' })
    expect(text).not.toMatch(/"uid": "(prometheus|loki)"/)
    const inputs = (JSON.parse(text) as { __inputs: { name: string }[] }).__inputs.map(({ name }) => name)
    const used = new Set([...text.matchAll(/"uid": "\$\{(\w+)\}"/g)].map(([, name]) => name))
    expect([...used].sort()).toEqual(inputs.sort())
  })
})
