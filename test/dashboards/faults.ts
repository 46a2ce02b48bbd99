import type { Dashboard, Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { panelsOf } from '../../dashboards/panel-queries.ts'
import type { PanelView } from './page/inspection.mjs'

/** The most annotations that leave a graph readable. */
const mostMarks = 40

/** What Grafana writes in a panel that it cannot fill. */
const emptyTexts = ['No data', 'Data is missing', 'Cannot visualize data', 'Panel plugin not found']

/** Returns what a person could not read on a dashboard, one sentence each. */
export function faultsOf(
  views: PanelView[],
  dashboard: Dashboard,
  mustHaveData: (panelTitle: string) => boolean,
): string[] {
  const panels = panelsOf(dashboard)
  const missing = panels.filter(panel => !views.some(view => titlePattern(panel).test(view.title)))
  return [
    ...missing.map(panel => `${panel.title}: is not on the page`),
    ...views.flatMap(view => {
      const panel = panels.find(each => titlePattern(each).test(view.title))
      const mayBeEmpty = !panel || !mustHaveData(panel.title!)
      return panelFaults(view, panel?.fieldConfig?.defaults.noValue, mayBeEmpty).map(fault => `${view.title}: ${fault}`)
    }),
  ]
}

/** Returns what a person could not read in a panel. @param noValue what it writes when it has no data */
export function panelFaults(view: PanelView, noValue: string | undefined, mayBeEmpty: boolean): string[] {
  const empty = [...emptyTexts, ...(noValue ? [noValue] : [])].find(text => view.text.includes(text))
  return [
    view.hasError && 'has an error',
    view.isBlank && 'is blank',
    empty && !mayBeEmpty && `has no data: ${empty}`,
    view.marks > mostMarks && `has ${view.marks} annotations, more than ${mostMarks}`,
    /^\s*\{"process_/m.test(view.text) && 'shows events as JSON',
    ...sameColors(view.legend),
    ...new Set(view.cutTexts),
  ].filter(fault => typeof fault === 'string')
}

const sameColors = (legend: PanelView['legend']): string[] =>
  [...Map.groupBy(legend, ({ color }) => color)].flatMap(([color, series]) => {
    const names = [...new Set(series.map(({ name }) => name))]
    return names.length > 1 ? [`draws ${names.join(' and ')} in the same color, ${color}`] : []
  })

const titlePattern = ({ title }: Panel): RegExp => new RegExp(`^${titleSource(title!)}$`)

/** Returns a regular expression for a title on the page, where variables have values. */
export const titleSource = (title: string): string =>
  title
    .split(/\$\w+|\$\{[^}]+\}/)
    .map(part => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
