import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectDir } from '../../shared/paths.ts'
import { readFigures } from '../size/figures.ts'
import { sizeCluster } from '../size/model.ts'
import { readProductionSettings } from '../size/production-settings.ts'
import { sizesAsMarkdown } from '../size/size-table.ts'

/** Path of the page with the sizing table. */
export const productionPageFile = join(projectDir, 'docs', 'production.md')

const clusters = [
  { nodes: 3, eventsPerNode: 12 },
  { nodes: 50, eventsPerNode: 20 },
  { nodes: 200, eventsPerNode: 50 },
  { nodes: 1000, eventsPerNode: 20 },
]

/** Returns the page with the sizing table as `lab size` calculates it now. */
export function productionPage(): string {
  const figures = readFigures()
  const settings = readProductionSettings()
  const columns = clusters.map(({ nodes, eventsPerNode }) => {
    const cluster = { nodes, eventsPerNode, podsPerNode: 30, namespaces: 20, retentionDays: 30, outageMinutes: 60 }
    return { title: `${nodes} nodes × ${eventsPerNode}/s`, sizes: sizeCluster(cluster, figures, settings) }
  })
  return readFileSync(productionPageFile, 'utf8').replace(
    /(<!-- sizes -->\n)[\s\S]*?(<!-- \/sizes -->)/,
    (_, begin, end) => `${begin}\n${sizesAsMarkdown(columns)}\n\nMeasured on ${figures.measuredOn}.\n\n${end}`,
  )
}
