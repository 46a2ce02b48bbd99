import { isMapping } from '../validation/yaml-source.ts'
import { checkSettings } from './checks.ts'
import { configNamespace } from './config-commands.ts'
import { explainIssue } from './explain-issue.ts'
import { type Settings, settingsSchema } from './schema.ts'
import { settingRows } from './setting-rows.ts'

/**
 * Checks the settings a user has given and fills in the defaults.
 * @throws LabError for the first wrong value or unknown name, with the command that corrects it.
 */
export function parseSettings(given: unknown): Settings {
  const sections = withParsedText(given ?? {})
  const parsed = settingsSchema.safeParse(sections)
  if (!parsed.success) throw explainIssue(parsed.error.issues[0]!, sections)
  checkSettings(parsed.data)
  return parsed.data
}

/**
 * Reads settings from a Pulumi stack's configuration: a flat record of `namespace:section` to text, where a section is
 * JSON. Keys of other namespaces (those of providers) are ignored.
 * @throws LabError as `parseSettings`, and for a section that is not an object.
 */
export function settingsFromConfig(config: Record<string, string>): Settings {
  const prefix = `${configNamespace}:`
  const own = Object.entries(config).filter(([key]) => key.startsWith(prefix))
  return parseSettings(Object.fromEntries(own.map(([key, text]) => [key.slice(prefix.length), jsonOrText(text)])))
}

/**
 * Parses what `pulumi config set --path` stores as text although the setting is not text: a list, and a number with a
 * decimal point. A number or boolean in quotes is accepted too.
 */
function withParsedText(given: unknown): unknown {
  const sections = structuredClone(given)
  for (const { path, allowed, isMap } of settingRows()) {
    const pattern = isMap ? /^\{/ : otherKindPattern(allowed)
    const keys = path.split('.')
    const last = keys.pop()!
    const holder = keys.reduce<unknown>((value, key) => (isMapping(value) ? value[key] : undefined), sections)
    if (!isMapping(holder)) continue
    const text = holder[last]
    if (typeof text === 'string' && pattern?.test(text)) holder[last] = jsonOrText(text)
  }
  return sections
}

/** Returns the texts that stand for another kind of value, by the allowed values; undefined where text is allowed. */
function otherKindPattern(allowed: string): RegExp | undefined {
  if (allowed === 'a list') return /./s
  if (allowed === 'true or false') return /^(true|false)$/
  return /^a (whole )?number from/.test(allowed) ? /^-?(0|[1-9]\d*)(\.\d+)?$/ : undefined
}

/** Returns what a text holds as JSON, or the text itself, which the schema then refuses. */
function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
