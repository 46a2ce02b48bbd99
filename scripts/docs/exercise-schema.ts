import { join } from 'node:path'
import { z } from 'zod'
import { projectDir } from '../../shared/paths.ts'
import { exerciseSchema } from '../exercise/definition/schema.ts'

/** Path of the JSON Schema with which an editor completes and explains an exercise.yaml. */
export const exerciseSchemaFile = join(projectDir, 'labs', 'exercise.schema.json')

/** Generates labs/exercise.schema.json from the zod schema that checks an exercise.yaml. */
export const exerciseSchemaText = (): string =>
  `${JSON.stringify({ title: 'An exercise of Tetragon Lab', ...z.toJSONSchema(exerciseSchema, { io: 'input' }) }, null, 2)}\n`
