import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { layers } from '../../../.dependency-cruiser.mjs'
import { architectureFile, drawLayers, readImports, violations, withDiagram } from '../../../scripts/docs/layer-map.ts'
import { projectDir } from '../../../shared/paths.ts'

describe('the import layers', () => {
  let imports: Awaited<ReturnType<typeof readImports>>
  beforeAll(async () => {
    imports = await readImports()
  })

  test('have no upward import, no cycle and no unused file', () => {
    expect(imports.summary.totalCruised).toBeGreaterThan(200)
    expect(violations(imports)).toEqual([])
  })

  test('are drawn in docs/architecture.md as they are (npm run docs)', () => {
    const page = readFileSync(architectureFile, 'utf8')
    expect(withDiagram(page, drawLayers(imports))).toBe(page)
  })

  test('name every folder of scripts/, and no folder that is gone', () => {
    const scripts = readdirSync(join(projectDir, 'scripts')).map(name => `scripts/${name}`)
    expect(layers.filter(layer => layer.startsWith('scripts/')).toSorted()).toEqual(scripts.toSorted())
    expect(layers.filter(layer => !existsSync(join(projectDir, layer)))).toEqual([])
  })

  test('keep scripts/ free of loose files except the entry point', () => {
    const files = readdirSync(join(projectDir, 'scripts'), { withFileTypes: true }).filter(entry => entry.isFile())
    expect(files.map(file => file.name)).toEqual(['lab.ts'])
  })
})
