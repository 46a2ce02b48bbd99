import { parse } from 'yaml'
import { LabError } from '../../shared/lab-error.ts'

/**
 * Returns a copy of the stack's settings with some changed.
 * @param changes as in `tetragon.runtimeHooks=true`; a value is YAML, as in Pulumi.dev.yaml.
 * @throws LabError for a change of another form. Unknown settings are refused later, when the settings are parsed.
 */
export function overrideSettings(sections: Record<string, unknown>, changes: string[]): Record<string, unknown> {
  const changed = structuredClone(sections)
  for (const change of changes) {
    const [, path, value] = /^([A-Za-z]+(?:\.[A-Za-z]+)+)=(.*)$/.exec(change) ?? []
    if (path === undefined)
      throw new LabError({
        found: `--set is ${change || '""'}`,
        expected: 'SETTING=VALUE, with a setting of docs/reference/settings.md',
        next: './lab plan --set traffic.rate=5',
        exitCode: 2,
      })
    const keys = path.split('.')
    const last = keys.pop()!
    let section = changed
    for (const key of keys) {
      section[key] ??= {}
      section = section[key] as Record<string, unknown>
    }
    section[last] = parse(value!)
  }
  return changed
}
