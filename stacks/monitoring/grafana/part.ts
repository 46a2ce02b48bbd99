import type { Values } from '../../release.ts'

/** What a setting adds to Grafana: sections of grafana.ini, environment variables, and values of the chart. */
export interface GrafanaPart {
  ini?: Record<string, Record<string, string | number | boolean>>
  env?: Record<string, ReturnType<typeof secretEnv>>
  values?: Values
}

/** Returns an environment variable that only the kubelet reads from a Secret. */
export const secretEnv = (name: string, key: string) => ({ secretKeyRef: { name, key } })

/** Puts parts together. Several can add to one section of grafana.ini. */
export function joinParts(parts: GrafanaPart[]): Required<GrafanaPart> {
  const joined: Required<GrafanaPart> = { ini: {}, env: {}, values: {} }
  for (const { ini = {}, env, values } of parts) {
    for (const [section, entries] of Object.entries(ini)) joined.ini[section] = { ...joined.ini[section], ...entries }
    Object.assign(joined.env, env)
    Object.assign(joined.values, values)
  }
  return joined
}
