import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { projectDir } from '../../shared/paths.ts'
import { exerciseSchema } from '../exercise/definition/schema.ts'

/** The schema by which an editor completes and explains a exercise.yaml. */
export const exerciseSchemaFile = join(projectDir, 'labs', 'exercise.schema.json')

/** labs/exercise.schema.json, made from the schema that checks a exercise.yaml: so that it cannot say anything else. */
export const exerciseSchemaText = (): string =>
  `${JSON.stringify({ title: 'An exercise of Tetragon Lab', ...z.toJSONSchema(exerciseSchema, { io: 'input' }) }, null, 2)}\n`

if (import.meta.main) writeFileSync(exerciseSchemaFile, exerciseSchemaText())
