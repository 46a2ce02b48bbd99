import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { alertGroups, grafanaAlertGroups } from '../../../dashboards/alerts.ts'
import { dataSources } from '../../../dashboards/builders/queries.ts'
import { clusterAlertGroup } from '../../../dashboards/cluster-alerts.ts'
import { type Stage, stages } from '../../../dashboards/stages.ts'
import { projectDir } from '../../../shared/paths.ts'

describe('alerts', () => {
  const runbooks = readFileSync(join(projectDir, 'docs', 'runbooks.md'), 'utf8')
  const sections = [...runbooks.matchAll(/^## (.+)$/gm)].map(([, title]) => title!)
  const rules = [...alertGroups, clusterAlertGroup].flatMap(group => group.rules)
  const grafanaRules = grafanaAlertGroups.flatMap(group => group.rules)

  test('have one section each in docs/runbooks.md', () => {
    expect(sections).toEqual([...rules.map(({ alert }) => alert), ...grafanaRules.map(({ title }) => title)])
  })

  test.each([
    ...rules.map(rule => ({ name: rule.alert, ...rule })),
    ...grafanaRules.map(rule => ({ name: rule.title, ...rule })),
  ])('$name has a severity, a description and a runbook', ({ name, labels, annotations }) => {
    expect(['info', 'warning', 'critical']).toContain(labels.severity)
    expect(annotations.summary.length).toBeGreaterThan(10)
    expect(annotations.description.length).toBeGreaterThan(40)
    expect(annotations.runbook).toBe(`docs/runbooks.md#${name.toLowerCase()}`)
  })

  test('cover every kind of loss with exactly one alert, unless it is marked as harmless', () => {
    for (const { what, metric, noAlarm } of Object.values<Stage>(stages).flatMap(({ lost }) => lost)) {
      const alerts = rules.filter(({ expr }) => expr.includes(`increase(${metric}[5m])`) && expr.includes(`"${what}"`))
      expect(
        alerts.map(({ alert }) => alert),
        what,
      ).toHaveLength(noAlarm ? 0 : 1)
    }
  })

  test('separate losses on the way to a SIEM from losses on the way to Loki', () => {
    const matches = (metric: string, label: string, value: string): boolean => {
      const [, not, expression] = new RegExp(`${label}(!?)[=]?~"(.*?)"[,}]`).exec(metric)!
      return new RegExp(`^(${expression})$`).test(value) !== (not === '!')
    }
    const isCounted = (kind: string, exporter: string, name: string): boolean => {
      const { metric } = Object.values<Stage>(stages)
        .flatMap(({ lost }) => lost)
        .find(({ what }) => what === kind)!
      return matches(metric, 'exporter', exporter) && matches(metric, 'name', name)
    }
    const outputs: [string, string, 'loki' | 'siem'][] = [
      ['otlp_http/loki', '', 'loki'],
      ['otlp_http/siem', '', 'siem'],
      ['', 'loki.0', 'loki'],
      ['', 'syslog.1', 'siem'],
      ['', 'opentelemetry.1', 'siem'],
    ]
    for (const [exporter, name, to] of outputs) {
      expect(isCounted('3. shipper’s queue full', exporter, name)).toBe(to === 'loki')
      expect(isCounted('4. shipper gave up', exporter, name)).toBe(to === 'loki')
      expect(isCounted('4. not for the SIEM', exporter, name)).toBe(to === 'siem')
    }
  })

  test('have unique names', () => {
    const names = [...rules.map(({ alert }) => alert), ...grafanaRules.map(({ title }) => title)]
    expect(new Set(names).size).toBe(names.length)
  })

  test('of Grafana have a condition and data sources that exist', () => {
    for (const rule of grafanaRules) {
      expect(rule.data.map(({ refId }) => refId)).toContain(rule.condition)
      for (const { refId, datasourceUid, model } of rule.data) {
        expect(model.refId).toBe(refId)
        expect(['__expr__', ...Object.values(dataSources).map(({ uid }) => uid)]).toContain(datasourceUid)
      }
    }
  })

  test('of Grafana reduce each query to numbers before they compare it', () => {
    for (const rule of grafanaRules) {
      const step = (refId: unknown) => rule.data.find(each => each.refId === refId)!.model
      const comparison = step(rule.condition)
      expect(comparison.type, rule.title).toBe('threshold')
      const reduction = step(comparison.expression)
      expect(reduction.type, 'a series cannot be compared').toBe('reduce')
      expect(step(reduction.expression).expr).toContain('count_over_time')
    }
  })
})
