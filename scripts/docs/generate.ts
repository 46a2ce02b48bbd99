import { readFileSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { projectDir } from '../../shared/paths.ts'
import { commandTable, commandTableFile } from '../completion/command-table.ts'
import { loadProgram } from '../lab.ts'
import { commandsPage, commandsPageFile } from './commands-page.ts'
import { dashboardsPage, dashboardsPageFile } from './dashboards-page.ts'
import { exerciseSchemaFile, exerciseSchemaText } from './exercise-schema.ts'
import { architectureFile, drawLayers, readImports, withDiagram } from './layer-map.ts'
import { lintPage, lintPageFile } from './lint-page.ts'
import { productionPage, productionPageFile } from './production-page.ts'
import { settingsPage, settingsPageFile } from './settings-page.ts'

// `npm run docs`: writes every file that is generated from the code.

/** The generated files by path, without the diagram of the layers. */
export const generatedFiles: Record<string, () => string | Promise<string>> = {
  [commandsPageFile]: commandsPage,
  [commandTableFile]: async () => commandTable(await loadProgram()),
  [dashboardsPageFile]: dashboardsPage,
  [exerciseSchemaFile]: exerciseSchemaText,
  [lintPageFile]: lintPage,
  [productionPageFile]: productionPage,
  [settingsPageFile]: settingsPage,
}

if (import.meta.main) {
  for (const [file, text] of Object.entries(generatedFiles)) writeFileSync(file, await text())
  writeFileSync(architectureFile, withDiagram(readFileSync(architectureFile, 'utf8'), drawLayers(await readImports())))
  for (const file of [...Object.keys(generatedFiles), architectureFile]) console.log(relative(projectDir, file))
}
