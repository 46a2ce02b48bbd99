import type { Sample } from '../../scripts/telemetry/query-response.ts'
import { argumentPaths, derived, eventTypes, fields, serviceName } from '../../stacks/monitoring/fields.ts'

type Json = Record<string, unknown>
type Labels = Record<string, string>

/**
 * Returns a fake Loki that holds these events as the shipper delivers them. It evaluates only the LogQL that the
 * exercises on processes use (`sum by` of `count_over_time`, filters, `json`, `label_format` with names alone), and
 * throws for anything else.
 */
export function fakeLoki(events: readonly Json[]): (query: string) => Sample[] {
  const entries = events.map(event => ({ labels: labelsOf(event), line: event }))
  return query => {
    const text = query.replace(/\s+/g, ' ').trim()
    const [, top, by = '', log] =
      /^(topk\(1, )?sum by \(([^)]*)\) ?\(count_over_time\((.*?) ?\[\d+m\] ?\)\)\)?$/.exec(text) ?? []
    if (log === undefined) throw new Error(`the fake Loki cannot evaluate: ${text}`)
    const names = by.split(',').map(name => name.trim())
    const counts = new Map<string, Sample>()
    for (const entry of entries) {
      const labels = runPipeline(log, entry)
      if (!labels) continue
      const kept = Object.fromEntries(names.filter(name => labels[name]).map(name => [name, labels[name]!]))
      const sample = counts.get(JSON.stringify(kept)) ?? { labels: kept, value: 0 }
      sample.value++
      counts.set(JSON.stringify(kept), sample)
    }
    const all = [...counts.values()].sort((a, b) => b.value - a.value)
    return top ? all.slice(0, 1) : all
  }
}

/** Returns the labels and the structured metadata of an event. */
function labelsOf(event: Json): Labels {
  const type = eventTypes.find(each => each in event)!
  const at = (path: (string | number)[]): unknown => valueAt(event[type], path)
  const found: [string, unknown][] = [
    ['service.name', serviceName],
    [derived.eventType, type],
    ...fields.map(({ name, path }): [string, unknown] => [name, at(path)]),
    [derived.arguments, argumentPaths.map(at).find(value => value !== undefined)],
  ]
  return Object.fromEntries(
    found.filter(([, value]) => value !== undefined).map(([name, value]) => [name.replaceAll('.', '_'), String(value)]),
  )
}

const valueAt = (value: unknown, path: (string | number)[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Json | undefined)?.[key], value)

/** Runs a selector and its pipeline on an event. @returns its labels; undefined when the event is filtered out. */
function runPipeline(log: string, { labels, line }: { labels: Labels; line: Json }): Labels | undefined {
  const [, selector = '', rest = ''] = /^\{([^}]*)\}(.*)$/.exec(log.trim())!
  const now = { ...labels }
  // Stages are separated by bars, but not by bars in quotes.
  const stages = (rest.match(/\|(?:[^|"`]|"(?:[^"\\]|\\.)*"|`[^`]*`)+/g) ?? []).map(stage => stage.slice(1).trim())
  for (const stage of [...(selector.match(/\w+\s*(?:=~|!~|!=|=)\s*"(?:[^"\\]|\\.)*"/g) ?? []), ...stages]) {
    if (stage.startsWith('json '))
      for (const [, name, path] of stage.matchAll(/(\w+)="([^"]*)"/g)) {
        const keys = path!.split(/[.[\]]+/).filter(Boolean)
        now[name!] = String(valueAt(line, keys) ?? '')
      }
    else if (stage.startsWith('label_format '))
      for (const [, name, template] of stage.matchAll(/(\w+)=`([^`]*)`/g))
        now[name!] = template!.replace(/\{\{\s*\.(\w+)\s*\}\}/g, (_, label: string) => now[label] ?? '')
    else {
      const [, name, operator, value] = /^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/.exec(stage) ?? []
      if (name === undefined) throw new Error(`the fake Loki cannot evaluate: ${stage}`)
      const is = now[name] ?? ''
      const same = operator!.endsWith('~') ? new RegExp(`^(?:${value})$`).test(is) : is === value
      if (same === operator!.startsWith('!')) return undefined
    }
  }
  return now
}
