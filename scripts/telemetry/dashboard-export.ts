import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { allDashboards, dashboardJson, type LabDashboard } from '../../dashboards/index.ts'
import { panelsOf } from '../../dashboards/panel-queries.ts'
import { dataSources } from '../../dashboards/queries.ts'
import { LabError } from '../../shared/lab-error.ts'

/** A dashboard in a few words. */
export interface DashboardRow {
  uid: string
  title: string
  folder: string
  file: string
  panels: number
  queries: number
}

/** What the lab has of dashboards. */
export const listDashboards = (): DashboardRow[] =>
  allDashboards().map(({ file, folder, dashboard }) => {
    const panels = panelsOf(dashboard)
    return {
      uid: dashboard.uid!,
      title: dashboard.title!,
      folder,
      file,
      panels: panels.length,
      queries: panels.reduce((sum, panel) => sum + (panel.targets?.length ?? 0), 0),
    }
  })

/**
 * Writes every dashboard as JSON in Grafana's classic schema to `<folder>/<dashboard's folder>/<uid>.json`; what is there is replaced.
 * @param portable asks for the data sources at import, instead of naming the lab's own uids. For Grafana's import page; a
 *   Grafana that reads files cannot ask.
 * @returns the files written, as absolute paths.
 * @throws LabError where a file stands in the way, or the folder cannot be written.
 */
export function exportDashboards(folder: string, { portable = false } = {}): string[] {
  const root = resolve(folder)
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() === false)
    throw new LabError({
      found: `${folder} is a file`,
      expected: 'a folder, or a name that is free',
      next: './lab dashboards export dashboards-json',
    })
  return allDashboards().map(entry => {
    const path = join(root, entry.folder, entry.file)
    try {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, portable ? portableJson(entry) : dashboardJson(entry.dashboard))
    } catch (cause) {
      throw new LabError({
        found: `${path} cannot be written (${(cause as NodeJS.ErrnoException).code})`,
        expected: 'a folder that you may write to',
        next: './lab dashboards export dashboards-json',
        cause,
      })
    }
    return path
  })
}

/** A dashboard that asks at import which data sources to use, and only for those that it has use for. */
export function portableJson({ dashboard }: LabDashboard): string {
  const used = new Set<string>()
  const asking = JSON.parse(JSON.stringify(dashboard), (key, value) => {
    if (key !== 'datasource' || typeof value?.uid !== 'string') return value
    used.add(value.uid)
    return { ...value, uid: `\${${input(value.uid)}}` }
  })
  const inputs = Object.values(dataSources)
    .filter(({ uid }) => used.has(uid))
    .map(({ type, uid }) => ({
      name: input(uid),
      label: type === 'loki' ? 'Loki' : 'Prometheus',
      description: type === 'loki' ? 'Where Tetragon’s events are' : 'What reads Tetragon’s metrics',
      type: 'datasource',
      pluginId: type,
      pluginName: type === 'loki' ? 'Loki' : 'Prometheus',
    }))
  return `${JSON.stringify({ __inputs: inputs, ...asking }, null, 2)}\n`
}

const input = (uid: string): string => `DS_${uid.toUpperCase()}`
