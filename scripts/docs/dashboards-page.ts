import { join } from 'node:path'
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard'
import { allDashboards, type LabDashboard } from '../../dashboards/index.ts'
import { projectDir } from '../../shared/paths.ts'
import { outsideCode, table } from './markdown.ts'

/** Path of the page about the dashboards. */
export const dashboardsPageFile = join(projectDir, 'docs', 'reference', 'dashboards.md')

/** Generates the page from the dashboards. */
export function dashboardsPage(): string {
  return `# Dashboards

Generated from \`dashboards/\` by \`npm run docs\`. Do not edit.

The lab's Grafana is at <http://localhost:3000>. Each panel has the same text behind the *i* at its title. \`./lab verify\` runs every panel's query and names the panels without data.
[Runbooks](../runbooks.md) describe the alerts. To use the dashboards in another Grafana, export them:

\`\`\`bash
./lab dashboards list
./lab dashboards export work/dashboards --portable
\`\`\`

${allDashboards().map(dashboardSection).join('\n\n')}
`
}

function dashboardSection({ dashboard, folder }: LabDashboard): string {
  const { title, uid, description } = dashboard
  const variables = (dashboard.templating.list ?? []).flatMap(({ label, name, hide }) =>
    hide === 2 ? [] : [`*${label ?? name}*`],
  )
  return [
    `## ${title}`,
    description && prose(description),
    picture(title ?? '', uid ?? ''),
    `Folder *${folder}*, uid \`${uid}\`.${variables.length > 0 ? ` Filters: ${variables.join(', ')}.` : ''}`,
    ...rowsOf(dashboard.panels ?? []).map(({ row, panels }) =>
      [...(row ? [`### ${row}`] : []), panelTable(panels)].join('\n\n'),
    ),
  ]
    .filter(Boolean)
    .join('\n\n')
}

/** Returns the picture that `./lab test dashboards` has taken, for the reader's theme and width. */
const picture = (title: string, uid: string): string => {
  const file = (theme: string, width: number) => `../pictures/${uid}-${theme}-${width}.png`
  return `<picture>
  <source media="(prefers-color-scheme: dark) and (max-width: 1200px)" srcset="${file('dark', 1100)}">
  <source media="(max-width: 1200px)" srcset="${file('light', 1100)}">
  <source media="(prefers-color-scheme: dark)" srcset="${file('dark', 1600)}">
  <img alt="The dashboard ${title}" src="${file('light', 1600)}">
</picture>`
}

/** Groups the panels by the row that they follow. A collapsed row contains its panels. */
function rowsOf(panels: NonNullable<LabDashboard['dashboard']['panels']>): { row: string; panels: Panel[] }[] {
  const rows: { row: string; panels: Panel[] }[] = []
  for (const panel of panels)
    if (panel.type === 'row')
      rows.push({ row: panel.title ?? '', panels: (panel as { panels?: Panel[] }).panels ?? [] })
    else {
      if (rows.length === 0) rows.push({ row: '', panels: [] })
      rows.at(-1)!.panels.push(panel as Panel)
    }
  return rows.filter(({ panels }) => panels.length > 0)
}

const panelTable = (panels: Panel[]): string =>
  table(
    ['panel', 'what it shows'],
    panels.map(({ title, description }) => [prose(title ?? ''), prose(description ?? '')]),
  )

/** Descriptions are Markdown already, but `<` is never HTML in them. */
const prose = (text: string): string => outsideCode(text, part => part.replaceAll('<', '\\<'))
