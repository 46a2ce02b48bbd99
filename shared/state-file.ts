import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { z } from 'zod'

// The lab stores state for its next run as JSON in `.lab`. A full disk, a killed process or an editor can damage such a
// file, so it is read with a schema.

/** Returns what a state file holds; undefined if it is missing, truncated or does not match the schema. */
export function readStateFile<T>(file: string, schema: z.ZodType<T>): T | undefined {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
  return schema.safeParse(value).data
}

/** Writes a state file atomically. */
export const writeStateFile = (file: string, value: unknown): void =>
  writePrivateFile(file, `${JSON.stringify(value, null, 2)}\n`)

/** Writes a file (mode 0600) atomically. */
export function writePrivateFile(file: string, text: string): void {
  const part = `${file}.${process.pid}.part`
  writeFileSync(part, text, { mode: 0o600 })
  renameSync(part, file)
}
