import { join } from 'node:path'
import { cruise, type ICruiseResult } from 'dependency-cruiser'
import { layers, options, rules } from '../../.dependency-cruiser.mjs'
import { projectDir } from '../../shared/paths.ts'

// The import layers: the check that `./lab test` makes, and the diagram in docs/architecture.md. Both come from one run
// of dependency-cruiser.

export const architectureFile = join(projectDir, 'docs', 'architecture.md')

/**
 * Reads the imports of the product's code, without its tests, and checks them against the rules in
 * `.dependency-cruiser.mjs`.
 */
export async function readImports(): Promise<ICruiseResult> {
  const folders = [...new Set(layers.map(layer => layer.split('/')[0]!))]
  const { output } = await cruise(folders, {
    ...options,
    baseDir: projectDir,
    ruleSet: { forbidden: rules },
    validate: true,
  })
  return output as ICruiseResult
}

/** Returns each violation as one line: the rule, the file, and what it imports. */
export const violations = ({ summary }: ICruiseResult): string[] =>
  summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from}${to === from ? '' : ` -> ${to}`}`)

/** Draws the layers with their imports as a Mermaid flowchart. An import that follows from others is left out. */
export function drawLayers({ modules }: ICruiseResult): string {
  const imports = new Map(layers.map(layer => [layer, new Set<string>()]))
  for (const { source, dependencies } of modules)
    for (const { resolved } of dependencies) {
      const [from, to] = [layerOf(source), layerOf(resolved)]
      if (from && to && layers.indexOf(from) < layers.indexOf(to)) imports.get(from)!.add(to)
    }
  const reaches = (from: string, to: string): boolean =>
    [...imports.get(from)!].some(next => next === to || reaches(next, to))
  const edges = [...imports].flatMap(([from, targets]) =>
    [...targets]
      .filter(to => ![...targets].some(other => other !== to && reaches(other, to)))
      .map(to => `  ${id(from)} --> ${id(to)}`),
  )
  return ['flowchart TD', ...layers.map(layer => `  ${id(layer)}["${layer}"]`), ...edges.toSorted()].join('\n')
}

const layerOf = (file: string): string | undefined =>
  layers.find(layer => file === layer || file.startsWith(`${layer}/`))

const id = (layer: string): string => layer.replaceAll(/\W/g, '_')

/** Replaces the diagram between the two `layers` markers of a page. */
export const withDiagram = (page: string, diagram: string): string =>
  page.replace(
    /(<!-- layers -->\n)[\s\S]*?(<!-- \/layers -->)/,
    (_, begin, end) => `${begin}\`\`\`mermaid\n${diagram}\n\`\`\`\n${end}`,
  )
