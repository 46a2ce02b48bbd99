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
  VariableHide,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard'
import type { Page } from './pages.ts'
import type { PanelBuilder } from './panels.ts'
import { dataSources } from './queries.ts'
import { keepChoices } from './tables.ts'

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

/** Tag of all dashboards of the lab. */
const tag = 'tetragon-lab'

const keepEverything = { asDropdown: false, targetBlank: false, includeVars: true, keepTime: true }

const link = ({ uid, title }: Page): DashboardLink => ({
  ...keepEverything,
  title,
  type: DashboardLinkType.Link,
  url: `/d/${uid}`,
  icon: 'dashboard',
  tooltip: `Go to ${title} with the same time range and filters`,
  tags: [],
})

/** A menu of all other dashboards has room beside the filters, where a link to each would take a second row. */
const menu: DashboardLink = {
  ...keepEverything,
  title: 'Dashboards',
  type: DashboardLinkType.Dashboards,
  icon: 'external link',
  tooltip: 'Go to another dashboard with the same time range and filters',
  tags: [tag],
  asDropdown: true,
}

/** A heading and the panels under it. The panels beside each other must fill all 24 columns. */
interface Row {
  title: string
  panels: PanelBuilder[]
}

/** What differs from dashboard to dashboard. */
export interface DashboardSpec {
  page: Page
  description: string
  rows: Row[]
  /** In addition to the four that every dashboard has. */
  variables?: Builder<VariableModel>[]
  annotations?: AnnotationQuery[]
  /** Dashboards to link to, for one without filters. By default there is a menu. */
  links?: Page[]
}

/** Builds a dashboard of the last 15 minutes that refreshes every 10 s. Panels are numbered from 1 in order. */
export function buildDashboard({
  page,
  description,
  rows,
  variables: more = [],
  annotations = [],
  links,
}: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(page.title)
    .uid(page.uid)
    .description(description)
    .tags([tag])
    .time({ from: 'now-15m', to: 'now' })
    .refresh('10s')
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([...variables(), ...more])
    .annotations(annotations.map(annotation => ({ build: () => annotation })))
  for (const each of links?.map(link) ?? [menu]) builder.link({ build: () => each })
  let id = 0
  for (const row of rows) {
    builder.withRow(new RowBuilder(row.title).id(++id))
    for (const each of row.panels) builder.withPanel(each.id(++id))
  }
  const built = builder.build()
  const names = (built.templating.list ?? []).map(({ name }) => name)
  // The SDK adds functions to queries; the result must be plain data.
  const dashboard = JSON.parse(keepChoices(JSON.stringify(built), names)) as Dashboard
  hideUnused(dashboard)
  return dashboard
}

/** Hides the variables that no query uses. They still carry a choice from one dashboard to the next. */
function hideUnused({ panels, annotations, templating }: Dashboard): void {
  const queries = JSON.stringify([panels, annotations.list], (key, value) => (key === 'links' ? undefined : value))
  for (const each of templating.list ?? [])
    if (!new RegExp(`\\$${each.name}\\b`).test(queries)) each.hide = VariableHide.HideVariable
}
