import { join } from 'node:path'
import { projectDir } from '../../shared/paths.ts'
import { parseSettings } from '../../shared/settings/parser.ts'
import type { Settings } from '../../shared/settings/schema.ts'
import { readStackConfig } from '../../shared/settings/stack-file.ts'

/** Reads the settings of the production stack, whatever stack the command works on. */
export const readProductionSettings = (): Settings =>
  parseSettings(readStackConfig(join(projectDir, 'Pulumi.production.yaml')))
