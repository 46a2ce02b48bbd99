import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { z } from 'zod'

// What the lab writes down for its next run, as JSON in `.lab`. A disk that was full, a kill in the middle or an editor may have left anything
// there, so it is read with a schema.

/** What a file keeps; undefined where there is none, or it is cut off or of another form. */
export function readStateFile<T>(file: string, schema: z.ZodType<T>): T | undefined {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
  return schema.safeParse(value).data
}

/** Writes a file (mode 0600) whole or not at all. */
export function writeStateFile(file: string, value: unknown): void {
  const part = `${file}.${process.pid}.part`
  writeFileSync(part, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
  renameSync(part, file)
}
