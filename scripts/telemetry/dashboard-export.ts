import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { dataSources } from '../../dashboards/builders/queries.ts'
import { allDashboards, dashboardJson, type LabDashboard } from '../../dashboards/index.ts'
import { panelsOf } from '../../dashboards/panel-queries.ts'
import { LabError } from '../../shared/lab-error.ts'

/** A dashboard in the list of `lab dashboards`. */
export interface DashboardRow {
  uid: string
  title: string
  folder: string
  file: string
  panels: number
  queries: number
}

/** Returns the lab's dashboards. */
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
 * Writes every dashboard as JSON in Grafana's classic schema to `<folder>/<dashboard's folder>/<uid>.json`. Overwrites
 * existing files.
 * @param portable makes Grafana's import page ask for the data sources, instead of naming the lab's own uids.
 * Provisioning cannot ask.
 * @returns the absolute paths of the files.
 * @throws LabError when the folder is a file, or cannot be written to.
 */
export function exportDashboards(folder: string, { portable = false } = {}): string[] {
  const root = resolve(folder)
  const next = './lab dashboards export dashboards-json'
  if (statSync(root, { throwIfNoEntry: false })?.isDirectory() === false)
    throw new LabError({ found: `${folder} is a file`, expected: 'a folder, or a name that does not exist', next })
  return allDashboards().map(entry => {
    const path = join(root, entry.folder, entry.file)
    try {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, portable ? portableJson(entry) : dashboardJson(entry.dashboard))
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      throw new LabError({
        found: `Cannot write ${path} (${code})`,
        expected: 'a folder you can write to',
        next,
        cause,
      })
    }
    return path
  })
}

const labels: Record<string, { label: string; description: string }> = {
  prometheus: { label: 'Prometheus', description: 'Scrapes the metrics of Tetragon' },
  loki: { label: 'Loki', description: 'Stores the events of Tetragon' },
}

/** Returns a dashboard as JSON that makes Grafana ask, at import, which data sources to use. */
export function portableJson({ dashboard }: LabDashboard): string {
  const used = new Set<string>()
  const withInputs = JSON.parse(JSON.stringify(dashboard), (key, value) => {
    if (key !== 'datasource' || typeof value?.uid !== 'string') return value
    used.add(value.uid)
    return { ...value, uid: `\${${inputName(value.uid)}}` }
  })
  const inputs = Object.values(dataSources)
    .filter(({ uid }) => used.has(uid))
    .map(({ type, uid }) => ({
      name: inputName(uid),
      ...labels[type],
      type: 'datasource',
      pluginId: type,
      pluginName: labels[type]!.label,
    }))
  return `${JSON.stringify({ __inputs: inputs, ...withInputs }, null, 2)}\n`
}

const inputName = (uid: string): string => `DS_${uid.toUpperCase()}`
