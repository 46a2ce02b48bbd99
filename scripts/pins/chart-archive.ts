import { dirname } from 'node:path'
import { parse } from 'yaml'
import { readArchiveFiles } from '../supplies/archive-files.ts'

/** The values of a chart, or of a chart inside it. */
export interface ChartValues {
  /** Name of the inner chart; undefined for the chart itself. */
  inner?: string
  appVersion: string
  values: unknown
}

/** Reads the values of a chart and of the charts inside it from an archive. */
export async function readChartValues(archive: string): Promise<ChartValues[]> {
  const files = await readArchiveFiles(archive, /^[^/]+(\/charts\/[^/]+)?\/(values|Chart)\.yaml$/)
  const charts: ChartValues[] = []
  for (const [path, content] of files) {
    if (!path.endsWith('/values.yaml')) continue
    const folder = dirname(path)
    const chart = parse(files.get(`${folder}/Chart.yaml`) ?? '{}') as { appVersion?: string | number }
    charts.push({
      inner: /\/charts\/([^/]+)$/.exec(folder)?.[1],
      appVersion: String(chart.appVersion ?? ''),
      values: parse(content) ?? {},
    })
  }
  return charts
}

/** Returns the keys of a chart's values as sorted paths; those of an inner chart start with its name. */
export function chartKeys(charts: readonly ChartValues[]): string[] {
  const keys = charts.flatMap(({ inner, values }) =>
    keyPaths(values).map(path => (inner === undefined ? path : `${inner}/${path}`)),
  )
  return [...new Set(keys)].sort()
}

/** Returns the keys of a mapping as paths. A list or an empty mapping ends a path, because it can contain anything. */
export function keyPaths(value: unknown, path = ''): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length === 0)
    return [path]
  return [
    path,
    ...Object.entries(value).flatMap(([key, child]) => keyPaths(child, path ? `${path}/${key}` : key)),
  ].filter(Boolean)
}

/**
 * Returns the tag that a chart's values give an image, or the chart's `appVersion` where they leave it open.
 * @param repository full name, as in docker.io/grafana/loki.
 * @returns undefined when the values do not name the image.
 */
export function tagInValues(charts: readonly ChartValues[], repository: string): string | undefined {
  for (const { values, appVersion } of charts)
    for (const image of imagesIn(values)) if (image.repository === repository) return image.tag || appVersion
  return undefined
}

function imagesIn(value: unknown): { repository: string; tag: string }[] {
  if (typeof value !== 'object' || value === null) return []
  const { registry, repository, tag } = value as Record<string, unknown>
  const own =
    typeof repository === 'string' && repository !== ''
      ? [{ repository: fullName(registry, repository), tag: String(tag ?? '') }]
      : []
  return [...own, ...Object.values(value).flatMap(imagesIn)]
}

/** Adds what Docker adds to a name without a registry. */
function fullName(registry: unknown, repository: string): string {
  if (typeof registry === 'string' && registry !== '') return `${registry}/${repository}`
  const [first = '', ...rest] = repository.split('/')
  if (rest.length === 0) return `docker.io/library/${repository}`
  return /[.:]|^localhost$/.test(first) ? repository : `docker.io/${repository}`
}
