import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Panel, RowPanel } from '@grafana/grafana-foundation-sdk/dashboard'
import { describe, expect, test } from 'vitest'
import { alertGroups, grafanaAlertGroups } from '../../../dashboards/alerts.ts'
import { connections, sensitiveFiles } from '../../../dashboards/filters.ts'
import { allDashboards, dashboardJson } from '../../../dashboards/index.ts'
import { pages } from '../../../dashboards/pages.ts'
import { panelQueries, panelsOf } from '../../../dashboards/panel-queries.ts'
import { dataSources } from '../../../dashboards/queries.ts'
import { type Stage, stages } from '../../../dashboards/stages.ts'
import { exportDashboards, listDashboards, portableJson } from '../../../scripts/telemetry/dashboard-export.ts'
import { LabError } from '../../../shared/lab-error.ts'
import { dataSources as deployed } from '../../../shared/names.ts'
import { projectDir } from '../../../shared/paths.ts'

const all = allDashboards()
const uids = all.map(({ dashboard }) => dashboard.uid!)

test('data sources are those that the lab deploys', () => {
  expect(dataSources.prometheus.uid).toBe(deployed.prometheus)
  expect(dataSources.loki.uid).toBe(deployed.loki)
})

test('uids are unique, and there is a dashboard for every page that links lead to', () => {
  expect(new Set(uids).size).toBe(all.length)
  expect([...uids].sort()).toEqual(
    Object.values(pages)
      .map(page => page.uid)
      .sort(),
  )
})

test('the same program makes the same JSON', () => {
  const text = () => allDashboards().map(({ dashboard }) => dashboardJson(dashboard))
  expect(text()).toEqual(text())
})

test('the six panels of the case study stand first, under their titles and in their order', () => {
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

describe('security', () => {
  const { dashboard } = all.find(entry => entry.dashboard.uid === 'tetragon-security')!
  const named = (title: string) => panelsOf(dashboard).find(panel => panel.title === title)!

  test('a process tree reads from the first program to the last, each with its pod', () => {
    const tree = named('Process tree of $pod')
    expect(tree.options).toMatchObject({ sortOrder: 'Ascending' })
    expect(JSON.stringify(tree.targets)).toContain('.k8s_pod_name')
  })

  test('a connection counts once, whichever policies on it are loaded', () => {
    for (const { expr } of panelQueries(dashboard).filter(({ expr: query }) => query.includes('tcp_connect')))
      expect(expr).toContain('tetragon_policy_name="tcp-connect"')
  })

  test.each([
    ['security_file_open', true],
    ['fd_install', true],
    ['file_open', true],
    ['__x64_sys_openat', true],
    ['security_inode_unlink', true],
    ['tcp_connect', false],
    ['security_bprm_check', false],
  ])('a violation at %s is one on a file: %s', (name, is) => {
    const [, expression] = /tetragon_function_name=~"([^"]+)"/.exec(sensitiveFiles)!
    expect(new RegExp(`^(?:${expression})$`).test(name)).toBe(is)
  })

  test.each([
    ['10.0.0.1 -> 93.184.216.34:443', '93.184.216.34'],
    ['::1 -> 2606:2800:21f:cb07::1:443', '2606:2800:21f:cb07::1'],
    ['10.0.0.1 -> ::ffff:10.96.0.1:443', '10.96.0.1'],
  ])('the other side of %s is %s', (args, peer) => {
    const steps = [...connections.matchAll(/regexReplaceAll "([^"]+)"/g)].map(
      ([, expression]) => new RegExp(expression!, 'g'),
    )
    expect(steps).toHaveLength(2)
    expect(steps.reduce((text, step) => text.replaceAll(step, ''), args)).toBe(peer)
  })
})

describe.each(all)('$file', ({ dashboard, file }) => {
  const panels = panelsOf(dashboard)
  const placed = dashboard.panels as (Panel | RowPanel)[]

  test('is in the classic schema, of the last 15 minutes, every 10 s', () => {
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

  test('numbers panels and rows uniquely', () => {
    const ids = placed.map(panel => panel.id)
    expect(ids.every(id => Number.isInteger(id) && id! > 0)).toBe(true)
    expect(new Set(ids).size).toBe(ids.length)
  })

  test.each(panels.map(panel => ({ title: panel.title, panel })))('$title: says what it is', ({ panel }) => {
    const { defaults } = panel.fieldConfig!
    expect(panel.title).toBeTruthy()
    expect(panel.description!.length).toBeGreaterThan(40)
    expect(defaults.unit).toBeTruthy()
    expect(defaults.noValue!.length).toBeGreaterThan(10)
    expect(uidsOf(dataSources)).toContain(panel.datasource?.uid)
    const targets = panelQueries(dashboard).filter(query => query.panel.id === panel.id)
    expect(targets.length).toBeGreaterThan(0)
    expect(new Set(targets.map(target => target.refId)).size).toBe(targets.length)
    // A panel with two data sources would need the mixed one, which has no uid of its own.
    for (const target of panel.targets!) expect(target).toMatchObject({ datasource: panel.datasource })
  })

  test('titles are unique, so that a finding can name a panel', () => {
    const titles = panels.map(panel => `${panel.title} (${panel.type})`)
    expect(new Set(titles).size).toBe(titles.length)
  })

  test('panels lie inside 24 columns, beside each other, and leave no hole', () => {
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
    expect(cells.size, 'panels overlap').toBe(area)
    expect(area, 'a line is not filled').toBe(24 * bottom)
  })

  test('has the four variables that all have, first and with All chosen', () => {
    const four = dashboard.templating.list!.slice(0, 4)
    expect(four).toEqual(all[0]!.dashboard.templating.list!.slice(0, 4))
    expect(four.map(({ name }) => name)).toEqual(['namespace', 'pod', 'policy', 'binary'])
    for (const variable of dashboard.templating.list!.filter(({ type }) => type !== 'textbox'))
      expect(variable).toMatchObject({ includeAll: true, allValue: '.*', multi: true, current: { value: ['$__all'] } })
  })

  test('leads to every other dashboard, the next one first, with time and choices', () => {
    const at = uids.indexOf(dashboard.uid!)
    const others = [...uids.slice(at + 1), ...uids.slice(0, at)]
    expect(dashboard.links!.map(({ url }) => url)).toEqual(others.map(uid => `/d/${uid}`))
    for (const link of dashboard.links!) {
      expect(link).toMatchObject({ type: 'link', keepTime: true, includeVars: true })
      // The kit's own default would hide it in a menu.
      expect(link).not.toHaveProperty('placement')
    }
  })

  test('every link inside a panel leads to a dashboard that is there', () => {
    const targets = [...dashboardJson(dashboard).matchAll(/\/d\/([\w-]+)/g)].map(([, uid]) => uid)
    expect(targets.length).toBeGreaterThan(0)
    expect(targets.filter(uid => !uids.includes(uid!))).toEqual([])
  })

  test('asks for data sources when it is exported to be imported elsewhere', () => {
    const text = portableJson({ dashboard, file, folder: '' })
    expect(text).not.toMatch(/"uid": "(prometheus|loki)"/)
    const asked = (JSON.parse(text) as { __inputs: { name: string }[] }).__inputs.map(({ name }) => name)
    const used = new Set([...text.matchAll(/"uid": "\$\{(\w+)\}"/g)].map(([, name]) => name))
    expect([...used].sort()).toEqual(asked.sort())
  })
})

const uidsOf = (sources: Record<string, { uid: string }>): string[] => Object.values(sources).map(({ uid }) => uid)

describe('export', () => {
  const folder = () => mkdtempSync(join(tmpdir(), 'dashboards-'))

  test('writes each dashboard where it says', () => {
    const root = folder()
    const files = exportDashboards(root)
    expect(files).toEqual(all.map(entry => join(root, entry.folder, entry.file)))
    expect(readdirSync(join(root, 'Tetragon Lab')).length).toBe(all.length)
    for (const [index, path] of files.entries())
      expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual(all[index]!.dashboard)
  })

  test('does not touch a file that stands in the way', () => {
    const path = join(folder(), 'taken')
    writeFileSync(path, 'mine')
    expect(() => exportDashboards(path)).toThrow(LabError)
    expect(readFileSync(path, 'utf8')).toBe('mine')
  })

  test('lists what is exported', () => {
    const rows = listDashboards()
    expect(rows.map(({ uid }) => uid)).toEqual(uids)
    for (const row of rows) {
      const { dashboard } = all.find(entry => entry.dashboard.uid === row.uid)!
      expect(row.queries).toBe(panelQueries(dashboard).length)
    }
  })
})

describe('alerts', () => {
  const runbooks = readFileSync(join(projectDir, 'docs', 'runbooks.md'), 'utf8')
  const sections = [...runbooks.matchAll(/^## (.+)$/gm)].map(([, title]) => title!)
  const rules = alertGroups.flatMap(group => group.rules)
  const grafanaRules = grafanaAlertGroups.flatMap(group => group.rules)

  test('each has a section in docs/runbooks.md, and each section an alert', () => {
    expect(sections).toEqual([...rules.map(({ alert }) => alert), ...grafanaRules.map(({ title }) => title)])
  })

  test.each([
    ...rules.map(rule => ({ name: rule.alert, ...rule })),
    ...grafanaRules.map(rule => ({ name: rule.title, ...rule })),
  ])('$name: says how bad it is, what happened and what to do', ({ name, labels, annotations }) => {
    expect(['info', 'warning', 'critical']).toContain(labels.severity)
    expect(annotations.summary.length).toBeGreaterThan(10)
    expect(annotations.description.length).toBeGreaterThan(40)
    expect(annotations.runbook).toBe(`docs/runbooks.md#${name.toLowerCase()}`)
  })

  test('each way to lose events rings exactly one alert, or says why none', () => {
    for (const { what, metric, noAlarm } of Object.values<Stage>(stages).flatMap(({ lost }) => lost)) {
      const ringing = rules.filter(({ expr }) => expr.includes(`increase(${metric}[5m])`) && expr.includes(`"${what}"`))
      expect(
        ringing.map(({ alert }) => alert),
        what,
      ).toHaveLength(noAlarm ? 0 : 1)
    }
  })

  test('a loss on the way to a SIEM is not told as one of Loki, with either shipper', () => {
    const has = (metric: string, label: string, value: string): boolean => {
      const [, not, expression] = new RegExp(`${label}(!?)[=]?~"(.*?)"[,}]`).exec(metric)!
      return new RegExp(`^(${expression})$`).test(value) !== (not === '!')
    }
    const seen = (of: string, exporter: string, name: string): boolean => {
      const { metric } = Object.values<Stage>(stages)
        .flatMap(({ lost }) => lost)
        .find(({ what }) => what === of)!
      return has(metric, 'exporter', exporter) && has(metric, 'name', name)
    }
    const outputs: [string, string, 'loki' | 'siem'][] = [
      ['otlp_http/loki', '', 'loki'],
      ['otlp_http/siem', '', 'siem'],
      ['', 'loki.0', 'loki'],
      ['', 'syslog.1', 'siem'],
      ['', 'opentelemetry.1', 'siem'],
    ]
    for (const [exporter, name, to] of outputs) {
      expect(seen('3. shipper’s queue full', exporter, name)).toBe(to === 'loki')
      expect(seen('4. shipper gave up', exporter, name)).toBe(to === 'loki')
      expect(seen('4. not for the SIEM', exporter, name)).toBe(to === 'siem')
    }
  })

  test('names are unique', () => {
    const names = [...rules.map(({ alert }) => alert), ...grafanaRules.map(({ title }) => title)]
    expect(new Set(names).size).toBe(names.length)
  })

  test('a Grafana alert decides by one of its queries, each of which knows its data source', () => {
    for (const rule of grafanaRules) {
      expect(rule.data.map(({ refId }) => refId)).toContain(rule.condition)
      for (const { refId, datasourceUid, model } of rule.data) {
        expect(model.refId).toBe(refId)
        expect(['__expr__', ...uidsOf(dataSources)]).toContain(datasourceUid)
      }
    }
  })
})
