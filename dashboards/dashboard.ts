import type { Builder } from '@grafana/grafana-foundation-sdk/cog'
import {
  type AnnotationQuery,
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  type DashboardLink,
  DashboardLinkType,
  QueryVariableBuilder,
  RowBuilder,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import { pages } from './pages.ts'
import type { PanelBuilder } from './panels.ts'
import { dataSources, logql } from './queries.ts'

/** Variables that every dashboard has, so that a selection carries over from one to the next. */
const variables = (): Builder<VariableModel>[] => [
  variable('namespace', 'Namespace', 'label_values(tetragon_events_total, namespace)'),
  variable('pod', 'Pod', 'label_values(tetragon_events_total{namespace=~"$namespace"}, pod)'),
  variable('policy', 'Policy', 'label_values(tetragon_policy_events_total, policy)'),
  variable('binary', 'Binary', 'label_values(tetragon_events_total{namespace=~"$namespace", pod=~"$pod"}, binary)'),
]

// All is `.*`, not `.+`: a process of the node has no namespace and no pod, and an exec has no policy.
const variable = (name: string, label: string, query: string): QueryVariableBuilder =>
  new QueryVariableBuilder(name)
    .label(label)
    .datasource(dataSources.prometheus)
    .query({ qryType: 1, query, refId: `variable-${name}` })
    .definition(query)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: ['All'], value: ['$__all'] })
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)

const link = ({ uid, title }: { uid: string; title: string }): DashboardLink => ({
  title,
  type: DashboardLinkType.Link,
  url: `/d/${uid}`,
  icon: 'dashboard',
  tooltip: `Go to ${title} with the same time range and filters`,
  tags: [],
  asDropdown: false,
  targetBlank: false,
  includeVars: true,
  keepTime: true,
})

/** A heading and the panels under it. The panels beside each other must fill all 24 columns. */
interface Row {
  title: string
  panels: PanelBuilder[]
}

/** What differs from dashboard to dashboard. */
export interface DashboardSpec {
  page: { uid: string; title: string }
  description: string
  rows: Row[]
  /** In addition to the four that every dashboard has. */
  variables?: Builder<VariableModel>[]
  annotations?: AnnotationQuery[]
}

/** Builds a dashboard of the last 15 minutes that refreshes every 10 s. Panels are numbered from 1 in order. */
export function buildDashboard({
  page,
  description,
  rows,
  variables: more = [],
  annotations = [],
}: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(page.title)
    .uid(page.uid)
    .description(description)
    .tags(['tetragon-lab'])
    .time({ from: 'now-15m', to: 'now' })
    .refresh('10s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([...variables(), ...more])
    .annotations(annotations.map(annotation => ({ build: () => annotation })))
  for (const other of otherPages(page.uid)) builder.link({ build: () => link(other) })
  let id = 0
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title).id(++id))
    for (const each of row.panels) builder.withPanel(each.id(++id))
  }
  // The SDK adds functions to queries; the result must be plain data.
  return JSON.parse(JSON.stringify(builder.build()))
}

/** Returns the other dashboards, starting with the next one. */
function otherPages(uid: string): { uid: string; title: string }[] {
  const all = Object.values(pages)
  const at = all.findIndex(page => page.uid === uid)
  return [...all.slice(at + 1), ...all.slice(0, at)]
}

/**
 * Marks log lines on every graph of a dashboard.
 * @param expr LogQL that returns lines; at most 100 are marked
 * @param title heading of a mark
 */
export const logAnnotation = (
  name: string,
  colorName: string,
  expr: string,
  title = '{{tetragon_policy_name}} {{tetragon_message}}',
): AnnotationQuery => ({
  name,
  datasource: dataSources.loki,
  enable: true,
  iconColor: colorName,
  expr,
  titleFormat: title,
  textFormat: '{{k8s_namespace_name}}/{{k8s_pod_name}}: {{process_executable_path}} {{tetragon_args}}',
  tagKeys: 'detected_level,tetragon_event_type',
  target: logql(expr).refId('marks').build(),
})

/** Marks what was blocked. The exit of a killed process has a signal, but no policy and no message. */
export const blockedAnnotation = (expr: string): AnnotationQuery =>
  logAnnotation(
    'Blocked',
    'dark-red',
    expr,
    '{{tetragon_signal}} {{tetragon_action}} {{tetragon_policy_name}} {{tetragon_message}}',
  )
