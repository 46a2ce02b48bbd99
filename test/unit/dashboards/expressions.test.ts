import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdDecompressSync } from 'node:zlib'
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { parser as logqlParser } from '@grafana/lezer-logql'
import type { SyntaxNode } from '@lezer/common'
import type { LRParser } from '@lezer/lr'
import { parser as promqlParser } from '@prometheus-io/lezer-promql'
import { describe, expect, test } from 'vitest'
import { alertGroups, grafanaAlertGroups } from '../../../dashboards/alerts.ts'
import { clusterAlertGroup } from '../../../dashboards/cluster-alerts.ts'
import { allDashboards } from '../../../dashboards/index.ts'
import { mayBeQuiet, panelQueries, panelsOf, resolveQuery } from '../../../dashboards/panel-queries.ts'
import { projectDir } from '../../../shared/paths.ts'
import { derived, fields } from '../../../stacks/monitoring/fields.ts'

// Parses every PromQL and LogQL expression of the project, and compares their metrics and labels with the recording of
// the real Tetragon and with what the shippers extract.

interface Expression {
  where: string
  /** Title of the panel, if it is one's. */
  panel?: string
  language: 'prometheus' | 'loki'
  expr: string
  /** Labels that the legend, a column or an annotation needs in the result. */
  neededLabels: string[]
}

const dashboards = allDashboards().map(({ dashboard }) => dashboard)
const expressions: Expression[] = [
  ...dashboards.flatMap(fromPanels),
  ...dashboards.flatMap(fromVariables),
  ...dashboards.flatMap(fromAnnotations),
  ...fromAlerts(),
]
const promql = expressions.filter(({ language }) => language === 'prometheus')
const logql = expressions.filter(({ language }) => language === 'loki')

function fromPanels(dashboard: Dashboard): Expression[] {
  const panels = new Map(panelsOf(dashboard).map(panel => [panel.id, panel]))
  return panelQueries(dashboard).map(query => {
    const panel = panels.get(query.panel.id)!
    const target = panel.targets!.find(each => (each as { refId?: string }).refId === query.refId) as {
      legendFormat?: string
    }
    const legend = [...(target.legendFormat ?? '').matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label!)
    const columns = (panel.transformations ?? []).flatMap(({ options }) => Object.keys(options.renameByName ?? {}))
    return {
      where: `${dashboard.uid} / ${query.panel.title} / ${query.refId}`,
      panel: query.panel.title,
      language: query.datasource,
      expr: resolveQuery(query.expr, dashboard),
      // A table merges its other queries into the rows of the first.
      neededLabels: [...legend, ...(query.refId === 'A' ? columns.filter(column => !column.startsWith('Value')) : [])],
    }
  })
}

/** `label_values(series, label)` is a function of Grafana. Only the series is PromQL. */
function fromVariables(dashboard: Dashboard): Expression[] {
  return (dashboard.templating.list ?? []).flatMap(({ name, type, definition }) => {
    if (type !== 'query') return []
    const [, series, label] = definition!.match(/^label_values\((.+), (\w+)\)$/)!
    const expr = `group by (${label}) (${resolveQuery(series!, dashboard)})`
    return [
      { where: `${dashboard.uid} / variable ${name}`, language: 'prometheus' as const, expr, neededLabels: [label!] },
    ]
  })
}

function fromAnnotations(dashboard: Dashboard): Expression[] {
  return (dashboard.annotations.list ?? []).map(({ name, expr }) => ({
    where: `${dashboard.uid} / annotation ${name}`,
    language: 'loki' as const,
    expr: resolveQuery(expr!, dashboard),
    neededLabels: [],
  }))
}

function fromAlerts(): Expression[] {
  const named = (annotations: object) =>
    [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label!)
  return [
    ...[...alertGroups, clusterAlertGroup].flatMap(({ rules }) =>
      rules.map(({ alert, expr, annotations }) => ({
        where: `alert ${alert}`,
        language: 'prometheus' as const,
        expr,
        neededLabels: named(annotations),
      })),
    ),
    ...grafanaAlertGroups.flatMap(({ rules }) =>
      rules.flatMap(({ title, data, annotations }) =>
        data.flatMap(({ datasourceUid, model }) =>
          datasourceUid === 'loki'
            ? [
                {
                  where: `alert ${title}`,
                  language: 'loki' as const,
                  expr: String(model.expr),
                  neededLabels: named(annotations),
                },
              ]
            : [],
        ),
      ),
    ),
  ]
}

// --- Syntax trees

function nodes(parser: LRParser, expr: string, ...names: string[]): SyntaxNode[] {
  const found: SyntaxNode[] = []
  parser.parse(expr).iterate({
    enter: ({ type, node }) => {
      if (names.includes(type.name)) found.push(node)
    },
  })
  return found
}

function errors(parser: LRParser, expr: string): string[] {
  const found: string[] = []
  parser.parse(expr).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) found.push(`at ${from}: …${expr.slice(Math.max(0, from - 20), to + 20)}…`)
    },
  })
  return found
}

const text = (expr: string, { from, to }: { from: number; to: number }): string => expr.slice(from, to)
const within = (node: SyntaxNode, name: string): SyntaxNode[] => {
  const found: SyntaxNode[] = []
  node.cursor().iterate(({ type, node: inner }) => {
    if (type.name === name) found.push(inner)
  })
  return found
}

/** Returns labels that a query adds itself. */
const addedLabels = (expr: string): string[] => [
  ...[...expr.matchAll(/label_replace\(.+, "(\w+)", "[^"]*", "\w*", "[^"]*"\)/g)].map(([, label]) => label!),
  ...[...expr.matchAll(/label_format (\w+)=/g)].map(([, label]) => label!),
]

// --- The recorded metrics

const recording = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook', 'metrics.jsonl.zst')
const recorded = new Map<string, Set<string>>()
for (const line of zstdDecompressSync(readFileSync(recording)).toString().trim().split('\n')) {
  for (const sample of (JSON.parse(line) as { text: string }).text.split('\n')) {
    const [, name, labels = ''] = sample.match(/^([a-zA-Z_:]\w*)(?:\{(.*)\})? /) ?? []
    if (!name) continue
    const known = recorded.get(name) ?? new Set()
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!)
    recorded.set(name, known)
  }
}

/** Metrics that a recording of a healthy run cannot contain, and why. */
const notRecorded: Record<string, { because: string; labels: string[] }> = {
  tetragon_bpf_missed_events_total: {
    because: 'the series only exists after the first missed event',
    labels: ['msg_op', 'error'],
  },
}

/** Labels that Prometheus adds to every series. */
const scrapeLabels = ['job', 'instance', 'node', 'host', 'tetragon_pod']

const labelsOf = (metric: string): string[] => [
  ...(recorded.get(metric) ?? notRecorded[metric]?.labels ?? []),
  ...scrapeLabels,
]

test('there are expressions in both languages', () => {
  expect(promql.length).toBeGreaterThan(50)
  expect(logql.length).toBeGreaterThan(30)
  expect(recorded.size).toBeGreaterThan(80)
})

test('the parsers reject invalid expressions and macros', () => {
  expect(errors(promqlParser, 'sum by (a) rate(b[5m]')).not.toEqual([])
  expect(errors(promqlParser, 'rate(a[$__rate_interval])')).not.toEqual([])
  expect(errors(logqlParser, '{a="b"} | = "c"')).not.toEqual([])
  expect(errors(logqlParser, 'count_over_time({a="b"}[$__auto])')).not.toEqual([])
})

describe('PromQL', () => {
  test.each(promql)('$where', ({ expr, neededLabels }) => {
    expect(errors(promqlParser, expr), expr).toEqual([])
    // `$1` is a group of a regular expression in label_replace; before letters it must be `${1}`.
    expect(expr, 'must have no variable or macro').not.toMatch(/\$(?!1"|\{1\})/)

    for (const selector of nodes(promqlParser, expr, 'VectorSelector')) {
      const metric = selector.getChild('Identifier')
      const name = metric ? text(expr, metric) : ''
      if (!name.startsWith('tetragon_')) continue
      expect([...recorded.keys(), ...Object.keys(notRecorded)], `${name} is not a metric of Tetragon`).toContain(name)
      for (const label of within(selector, 'LabelName'))
        expect(labelsOf(name), `${name} has no label ${text(expr, label)}`).toContain(text(expr, label))
    }
    for (const aggregate of nodes(promqlParser, expr, 'AggregateExpr')) {
      const by = aggregate.getChild('AggregateModifier')
      const labels = by ? within(by, 'LabelName').map(label => text(expr, label)) : []
      for (const metric of within(aggregate, 'Identifier').map(node => text(expr, node)))
        if (metric.startsWith('tetragon_'))
          for (const label of labels) expect(labelsOf(metric), `${metric} has no label ${label}`).toContain(label)
    }
    const grouped = nodes(promqlParser, expr, 'AggregateModifier').flatMap(node => within(node, 'LabelName'))
    const result = [...grouped.map(node => text(expr, node)), ...addedLabels(expr)]
    for (const label of neededLabels) expect(result, `the result has no label ${label}`).toContain(label)
  })

  test('the metrics excused from the recording are used and not recorded', () => {
    for (const name of Object.keys(notRecorded)) {
      expect(recorded.has(name), `${name} is recorded`).toBe(false)
      expect(
        promql.some(({ expr }) => expr.includes(name)),
        `${name} is not used`,
      ).toBe(true)
    }
  })
})

describe('LogQL', () => {
  const attributes = [
    ...fields.map(({ name }) => name),
    ...Object.values(derived),
    'service.name',
    'severity_text',
    'detected_level',
  ]
  const known = attributes.map(name => name.replaceAll('.', '_'))
  const labels = new Set([
    'service_name',
    'tetragon_event_type',
    ...fields.filter(({ label }) => label).map(({ name }) => name.replaceAll('.', '_')),
  ])

  test.each(logql)('$where', ({ expr, neededLabels }) => {
    expect(errors(logqlParser, expr), expr).toEqual([])
    expect(expr, 'must have no variable or macro').not.toMatch(/\$(?!")/)

    const selectors = nodes(logqlParser, expr, 'Selector')
    expect(selectors.length).toBeGreaterThan(0)
    for (const selector of selectors) {
      const names = within(selector, 'Identifier').map(node => text(expr, node))
      expect(names).toContain('service_name')
      for (const name of names) expect([...labels], `${name} is not a stream label`).toContain(name)
    }
    const made = addedLabels(expr)
    for (const node of nodes(logqlParser, expr, 'Identifier'))
      expect([...known, ...made], `${text(expr, node)} is not extracted by a shipper`).toContain(text(expr, node))
    for (const [, name] of expr.matchAll(/(?<=\{\{[^}]*)\.(\w+)/g))
      expect([...known, ...made, 'process_exec', 'ancestors'], `${name} in a template`).toContain(name)

    const grouped = nodes(logqlParser, expr, 'Grouping').flatMap(node => within(node, 'Identifier'))
    const result = [...grouped.map(node => text(expr, node)), ...made]
    for (const label of neededLabels) expect(result, `the result has no label ${label}`).toContain(label)
  })
})

test('a metric query over events falls back to zero, always finds some, or belongs to a panel that may be quiet', () => {
  // Programs start and policies match in every lab. Everything else can be zero.
  const alwaysOccurs =
    /process_exec"|tetragon_policy_name=~"\.\+"\} \| k8s_pod_name=~"\.\*" \| process_executable_path=~"\.\*" \[|k8s_namespace_name=~"\.\*"(, tetragon_policy_name=~"\.\*", tetragon_event_type=~"\.\*")?\} \| k8s_pod_name=~"\.\*" \| process_executable_path=~"\.\*"( \| detected_level=~"\.\*" \|~ "\(\?i\)")? \[/
  for (const { where, panel, expr } of logql.filter(each => each.expr.includes('_over_time(')))
    if (!expr.includes('vector(0)') && panel && !(panel in mayBeQuiet)) expect(expr, where).toMatch(alwaysOccurs)
})

test('the frontend has every metric that a query uses', () => {
  const server = readFileSync(join(projectDir, 'stacks', 'application', 'frontend', 'frontend-metrics.mjs'), 'utf8')
  const names = new Set(promql.flatMap(({ expr }) => [...expr.matchAll(/guestbook_\w+/g)].map(([name]) => name)))
  expect(names.size).toBeGreaterThan(2)
  for (const name of names) expect(server).toContain(name.replace(/_bucket$/, ''))
})
