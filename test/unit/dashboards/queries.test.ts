import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { parser as logqlParser } from '@grafana/lezer-logql'
import type { SyntaxNode } from '@lezer/common'
import type { LRParser } from '@lezer/lr'
import { parser as promqlParser } from '@prometheus-io/lezer-promql'
import { describe, expect, test } from 'vitest'
import { alertGroups, grafanaAlertGroups } from '../../../dashboards/alerts.ts'
import { allDashboards } from '../../../dashboards/index.ts'
import { expectedAtZero, panelQueries, panelsOf, resolveQuery } from '../../../dashboards/panel-queries.ts'
import { queryToCheck } from '../../../scripts/verify/panel-data.ts'
import { projectDir } from '../../../shared/paths.ts'
import { derived, fields } from '../../../stacks/monitoring/fields.ts'

// Every expression that the project holds for Prometheus and Loki, through their own parsers, and held against what the real
// Tetragon was recorded to offer and what the shippers lift.

interface Expression {
  where: string
  language: 'prometheus' | 'loki'
  expr: string
  /** Labels that the legend, a column or an annotation wants of the result. */
  wants: string[]
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
      language: query.datasource,
      expr: resolveQuery(query.expr, dashboard),
      wants: [...legend, ...columns.filter(column => !column.startsWith('Value'))],
    }
  })
}

/** `label_values(series, label)` is Grafana's own; what it asks Prometheus is the series. */
function fromVariables(dashboard: Dashboard): Expression[] {
  return (dashboard.templating.list ?? []).flatMap(({ name, type, definition }) => {
    if (type !== 'query') return []
    const [, series, label] = definition!.match(/^label_values\((.+), (\w+)\)$/)!
    const expr = `group by (${label}) (${resolveQuery(series!, dashboard)})`
    return [{ where: `${dashboard.uid} / variable ${name}`, language: 'prometheus' as const, expr, wants: [label!] }]
  })
}

function fromAnnotations(dashboard: Dashboard): Expression[] {
  return (dashboard.annotations.list ?? []).map(({ name, expr }) => ({
    where: `${dashboard.uid} / annotation ${name}`,
    language: 'loki' as const,
    expr: resolveQuery(expr!, dashboard),
    wants: [],
  }))
}

function fromAlerts(): Expression[] {
  const named = (annotations: object) =>
    [...JSON.stringify(annotations).matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label!)
  return [
    ...alertGroups.flatMap(({ rules }) =>
      rules.map(({ alert, expr, annotations }) => ({
        where: `alert ${alert}`,
        language: 'prometheus' as const,
        expr,
        wants: named(annotations),
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
                  wants: named(annotations),
                },
              ]
            : [],
        ),
      ),
    ),
  ]
}

// --- reading a tree

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

/** Labels that a query makes up itself. */
const madeUp = (expr: string): string[] => [
  ...[...expr.matchAll(/"(\w+)", "[^"]*", "", ""\)/g)].map(([, label]) => label!),
  ...[...expr.matchAll(/label_format (\w+)=/g)].map(([, label]) => label!),
]

// --- what Tetragon was recorded to offer

const recording = join(projectDir, 'stacks', 'monitoring', 'replay', 'recordings', 'guestbook', 'metrics.jsonl.gz')
const recorded = new Map<string, Set<string>>()
for (const line of gunzipSync(readFileSync(recording)).toString().trim().split('\n')) {
  for (const sample of (JSON.parse(line) as { text: string }).text.split('\n')) {
    const [, name, labels = ''] = sample.match(/^([a-zA-Z_:]\w*)(?:\{(.*)\})? /) ?? []
    if (!name) continue
    const known = recorded.get(name) ?? new Set()
    for (const [, label] of labels.matchAll(/(\w+)="/g)) known.add(label!)
    recorded.set(name, known)
  }
}

/** Metrics of Tetragon that no recording of a healthy run can hold, and why. */
const notRecorded: Record<string, { because: string; labels: string[] }> = {
  tetragon_bpf_missed_events_total: {
    because: 'read from a map in the kernel: there is no series until the first event is missed',
    labels: ['msg_op', 'error'],
  },
}

/** Given to every series by Prometheus. */
const scrapeLabels = ['job', 'instance', 'node', 'host', 'tetragon_pod']

const labelsOf = (metric: string): string[] => [
  ...(recorded.get(metric) ?? notRecorded[metric]?.labels ?? []),
  ...scrapeLabels,
]

test('there is something to check in each language', () => {
  expect(promql.length).toBeGreaterThan(50)
  expect(logql.length).toBeGreaterThan(30)
  expect(recorded.size).toBeGreaterThan(80)
})

test('the parsers reject what is wrong, and macros left in place', () => {
  expect(errors(promqlParser, 'sum by (a) rate(b[5m]')).not.toEqual([])
  expect(errors(promqlParser, 'rate(a[$__rate_interval])')).not.toEqual([])
  expect(errors(logqlParser, '{a="b"} | = "c"')).not.toEqual([])
  expect(errors(logqlParser, 'count_over_time({a="b"}[$__auto])')).not.toEqual([])
})

describe('PromQL', () => {
  test.each(promql)('$where', ({ expr, wants }) => {
    expect(errors(promqlParser, expr), expr).toEqual([])
    expect(expr, 'a variable or macro is left').not.toMatch(/\$/)

    for (const selector of nodes(promqlParser, expr, 'VectorSelector')) {
      const metric = selector.getChild('Identifier')
      const name = metric ? text(expr, metric) : ''
      if (!name.startsWith('tetragon_')) continue
      expect([...recorded.keys(), ...Object.keys(notRecorded)], `${name} is no metric of Tetragon`).toContain(name)
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
    const result = [...grouped.map(node => text(expr, node)), ...madeUp(expr)]
    for (const label of wants) expect(result, `the result has no label ${label}`).toContain(label)
  })

  test('what is excused from the recording is used, and is not in it', () => {
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
  const lifted = [
    ...fields.map(({ name }) => name),
    ...Object.values(derived),
    'service.name',
    'severity_text',
    'detected_level',
  ]
  const known = lifted.map(name => name.replaceAll('.', '_'))
  const labels = new Set([
    'service_name',
    'tetragon_event_type',
    ...fields.filter(({ label }) => label).map(({ name }) => name.replaceAll('.', '_')),
  ])

  test.each(logql)('$where', ({ expr, wants }) => {
    expect(errors(logqlParser, expr), expr).toEqual([])
    expect(expr, 'a variable or macro is left').not.toMatch(/\$(?!")/)

    const selectors = nodes(logqlParser, expr, 'Selector')
    expect(selectors.length).toBeGreaterThan(0)
    for (const selector of selectors) {
      const names = within(selector, 'Identifier').map(node => text(expr, node))
      expect(names).toContain('service_name')
      for (const name of names) expect([...labels], `${name} is no label of the stream`).toContain(name)
    }
    const made = madeUp(expr)
    for (const node of nodes(logqlParser, expr, 'Identifier'))
      expect([...known, ...made], `${text(expr, node)} is lifted by no shipper`).toContain(text(expr, node))
    for (const [, name] of expr.matchAll(/(?<=\{\{[^}]*)\.(\w+)/g))
      expect([...known, ...made, 'process_exec', 'ancestors'], `${name} in a template`).toContain(name)

    const grouped = nodes(logqlParser, expr, 'Grouping').flatMap(node => within(node, 'Identifier'))
    const result = [...grouped.map(node => text(expr, node)), ...made]
    for (const label of wants) expect(result, `the result has no label ${label}`).toContain(label)
  })
})

test('a metric query over events always has an answer, unless something always happens', () => {
  // What is left out starts programs or matches policies in every lab; all else can be zero on a healthy one.
  const never =
    /process_exec"|tetragon_policy_name=~"\.\+"\} \| k8s_pod_name=~"\.\*" \| process_executable_path=~"\.\*" \[|topk\(20/
  for (const { where, expr } of logql.filter(each => each.expr.includes('_over_time(')))
    if (!expr.includes('vector(0)') && !where.startsWith('alert')) expect(expr, where).toMatch(never)
})

describe('where a recording is played', () => {
  const queries = dashboards.flatMap(panelQueries)
  const falling = queries.filter(({ expr }) => expr.includes('vector(0)'))

  test('a panel that it fills cannot hide behind a zero', () => {
    for (const query of falling) {
      const strict = !(query.panel.title in expectedAtZero)
      expect(queryToCheck(query, 'replay').includes('vector(0)'), query.panel.title).toBe(!strict)
      expect(queryToCheck(query, 'live')).toBe(query.expr)
    }
    const filled = new Set(
      falling.filter(({ panel }) => !(panel.title in expectedAtZero)).map(({ panel }) => panel.title),
    )
    // What the recording is known to hold.
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

  test('what it leaves at zero is a panel, and says why', () => {
    for (const [title, why] of Object.entries(expectedAtZero)) {
      expect(
        falling.some(({ panel }) => panel.title === title),
        title,
      ).toBe(true)
      expect(why.length).toBeGreaterThan(10)
    }
    // Without a class nobody is heard of.
    const class_ = allDashboards().find(({ dashboard }) => dashboard.title === 'Class')!
    for (const { title } of panelsOf(class_.dashboard)) expect(expectedAtZero).toHaveProperty([title!])
  })
})

test('queries that hang on a setting say so', () => {
  const needing = dashboards.flatMap(panelQueries).filter(({ needs }) => needs)
  expect(needing.length).toBeGreaterThan(0)
  for (const { expr, needs } of needing) {
    expect(expr).not.toContain('vector(0)')
    expect(expr).toMatch(needs!.setting === 'traffic.enabled' ? /k6_/ : /guestbook_/)
  }
})

test('what is asked of the Guestbook is what its frontend says', () => {
  const server = readFileSync(join(projectDir, 'stacks', 'application', 'frontend', 'frontend-metrics.mjs'), 'utf8')
  const names = new Set(promql.flatMap(({ expr }) => [...expr.matchAll(/guestbook_\w+/g)].map(([name]) => name)))
  expect(names.size).toBeGreaterThan(2)
  for (const name of names) expect(server).toContain(name.replace(/_bucket$/, ''))
})

test('runnable fills in macros and variables, and leaves alone what only looks like them', () => {
  const dashboard = dashboards.find(({ uid }) => uid === 'tetragon-logs')!
  expect(resolveQuery('rate(a{pod=~"$pod"}[$__rate_interval])', dashboard)).toBe('rate(a{pod=~".*"}[1m])')
  expect(resolveQuery('a[$__range] b[$__auto]', dashboard, { range: '5m', step: '15s' })).toBe('a[5m] b[15s]')
  expect(resolveQuery('x |~ "(?i)$search" y "$"', dashboard)).toBe('x |~ "(?i)" y "$"')
})
