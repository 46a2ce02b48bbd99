import { z } from 'zod'
import { settingsSchema } from './schema.ts'

/** One row of the settings table in docs/reference/settings.md. */
export interface SettingRow {
  /** Full name, as in `tetragon.replay.eventsPerSecond`. */
  path: string
  description: string
  /** The allowed values, in words. */
  allowed: string
  default: unknown
  /** Every allowed value, for a setting that takes one of a few words. */
  values?: string[]
  /** For a list: what its entries are. */
  entries?: string
  /** Whether the value is texts by name. */
  isMap?: true
  /** Another useful value, where one is worth showing. */
  example?: unknown
}

interface JsonSchema {
  type?: string
  properties?: Record<string, JsonSchema>
  description?: string
  default?: unknown
  examples?: unknown[]
  enum?: string[]
  minimum?: number
  maximum?: number
  /** From `meta`: what the pattern means, in words. */
  allowed?: string
  items?: JsonSchema
}

/** Returns every setting with its meaning, allowed values and default. */
export function settingRows(): SettingRow[] {
  rows ??= rowsOf(z.toJSONSchema(settingsSchema, { io: 'input' }) as JsonSchema, [])
  return rows
}
let rows: SettingRow[] | undefined

function rowsOf(schema: JsonSchema, path: string[]): SettingRow[] {
  if (schema.properties)
    return Object.entries(schema.properties).flatMap(([key, child]) => rowsOf(child, [...path, key]))
  const row: SettingRow = {
    path: path.join('.'),
    description: schema.description ?? '',
    allowed: allowedValues(schema),
    default: schema.default,
  }
  if (schema.enum) row.values = schema.enum
  if (schema.items) row.entries = listEntries(schema.items)
  if (schema.type === 'object') row.isMap = true
  if (schema.examples) row.example = schema.examples[0]
  return [row]
}

function listEntries({ type, enum: values }: JsonSchema): string {
  if (values) return `a list of ${values.join(', ')}`
  return type === 'string' ? 'a list of names' : 'a list of filters, as in [{"namespace":["application"]}]'
}

function allowedValues({ type, enum: values, minimum, maximum, allowed }: JsonSchema): string {
  if (values) return `one of ${values.join(', ')}`
  if (type === 'boolean') return 'true or false'
  if (type === 'array') return 'a list'
  if (type !== 'integer' && type !== 'number') return allowed ?? 'text'
  const kind = type === 'integer' ? 'a whole number' : 'a number'
  // zod writes the limits of a safe integer where the schema sets none.
  const bounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER
  return bounded ? `${kind} from ${minimum} to ${maximum}` : `${kind} from ${minimum}`
}
